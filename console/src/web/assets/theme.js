// Dark or light, before anything is drawn: as the system, unless chosen here.
"use strict";

{
  const root = document.documentElement;
  const chosen = localStorage.getItem("redis-mq-theme");
  if (chosen) root.dataset.theme = chosen;
}
