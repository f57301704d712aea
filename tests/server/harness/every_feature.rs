//! Queues that use every feature at once, for tests of what must survive a restart, a crash or a promotion,
//! and must be the same on a replica. Nothing in them becomes due within a test.

use super::*;

/// A visibility that does not end within a test.
const LONG: &str = "VISIBILITY 3600000";

pub struct Filled {
    orders: Orders,
    shop: Shop,
    shown: Vec<Value>,
    digest: String,
}

/// `orders`, paused, with limits of all kinds.
struct Orders {
    /// In flight: of group `b`, with priority 9, plain with headers.
    deliveries: Vec<Message>,
    /// Of group `a`, held for its retry.
    held: Message,
    /// Its key is held until it is done.
    keyed: String,
    /// Acknowledged; its key is held for a time.
    windowed: String,
    /// Delayed with a TTL and a group.
    delayed: String,
}

/// `shop`, full, beside `limited`, whose rate is used up, and `paused`.
struct Shop {
    /// Held by the consumer `ann`.
    held: Message,
    /// Of group `g`, waiting for its retry: it holds the group.
    retrying: Message,
    /// Holds the key `done` until it is done.
    until_done: String,
    /// Holds the key `window` for a while.
    window: String,
    /// Delayed, of group `h`.
    delayed: String,
}

pub fn fill(client: &mut Client) -> Filled {
    let (orders, shop) = (fill_orders(client), fill_shop(client));
    Filled { orders, shop, shown: shown(client), digest: client.text("DEBUG DIGEST") }
}

/// Fails unless all is as it was, and is processed as it would have been.
pub fn check(client: &mut Client, filled: &Filled) {
    check_kept(client, filled);
    process_shop(client, &filled.shop);
    process_orders(client, &filled.orders);
}

fn fill_orders(client: &mut Client) -> Orders {
    client.ask(
        "MQ.CONFIG orders MAXRETRIES 3 TTL 3600000 MAXLEN 20 MAXINFLIGHT 10 RATE 1000 \
         RATEPERIOD 3600000 AGING 1000000 GROUPINFLIGHT 1 DEDUPWINDOW 3600000",
    );
    let windowed = client.text("MQ.PUSH orders windowed DEDUP window TTL 0");
    let message = client.pull("orders");
    client.acknowledge(&message);
    client.ask("MQ.MPUSH orders 2 a1 a2 GROUP a");
    let held = client.pull(&format!("orders {LONG}"));
    client.ask(&format!("MQ.NACK {} DELAY 3600000 REASON later", held.delivery()));
    client.ask("MQ.PUSH orders p9 PRIORITY 9");
    client.ask("MQ.PUSH orders dies PRIORITY 9 HEADERS 1 why so");
    client.ask("MQ.MPUSH orders 2 b1 b2 GROUP b");
    client.ask("MQ.PUSH orders headers TTL 0 HEADERS 2 a 1 b 2");
    let mut deliveries = client.pull_batch(&format!("orders COUNT 9 {LONG} CONSUMER worker"));
    let dies = deliveries.iter().position(|message| message.text() == "dies").expect("it");
    client.ask(&format!("MQ.NACK {} DEAD REASON bad", deliveries.remove(dies).delivery()));
    client.ask("MQ.PUSH orders p1 PRIORITY 1 TTL 7200000");
    let keyed = client.text("MQ.PUSH orders keyed DEDUP done UNTILDONE");
    client.ask("MQ.PUSH orders c1 GROUP c");
    client.ask("MQ.MPUSH orders 2 plain plain TTL 0");
    let delayed = client.text("MQ.PUSH orders delayed DELAY 1000000 GROUP c");
    client.ask("MQ.PAUSE orders");
    Orders { deliveries, held, keyed, windowed, delayed }
}

fn fill_shop(client: &mut Client) -> Shop {
    client.ask("MQ.PUSH shop held PRIORITY 9");
    let held = client.pull(&format!("shop {LONG} CONSUMER ann"));
    client.ask("MQ.PUSH shop g1 GROUP g");
    let retrying = client.pull(&format!("shop {LONG}"));
    client.nack_with(&retrying, "DELAY 3600000 REASON why");
    client.ask("MQ.PUSH shop dead PRIORITY 5 HEADERS 1 kind dead");
    let dead = client.pull("shop");
    client.nack_with(&dead, "DEAD REASON poison");

    client.ask("MQ.PUSH shop g2 GROUP g");
    client.ask("MQ.MPUSH shop 2 h1 h2 GROUP h");
    client.ask("MQ.PUSH shop low PRIORITY 1 HEADERS 2 a 1 b 2");
    client.ask("MQ.PUSH shop high PRIORITY 8 TTL 3600000");
    let until_done = client.text("MQ.PUSH shop done DEDUP done UNTILDONE");
    let window = client.text("MQ.PUSH shop window DEDUP window WINDOW 3600000");
    let delayed = client.text("MQ.PUSH shop later GROUP h DELAY 3600000");
    client.ask("MQ.CONFIG shop MAXLEN 11 GROUPINFLIGHT 1 TTL 7200000 AGING 3600000");

    client.ask("MQ.CONFIG limited RATE 2 RATEPERIOD 3600000 MAXINFLIGHT 7");
    client.ask("MQ.MPUSH limited 3 a b c");
    client.pull_batch(&format!("limited COUNT 2 {LONG}"));
    client.ask("MQ.SCHEDULE shop yearly tick EVERY 31536000000 JITTER 1000 OVERLAP SKIP LIMIT 5");
    client.ask("MQ.SCHEDULE shop stopped tick CRON @yearly TZ Asia/Kolkata PAUSED 1 GROUP g");
    client.ask("MQ.PAUSE paused FOR 3600000");
    client.push("paused", "one");
    Shop { held, retrying, until_done, window, delayed }
}

/// What MQ.PEEK and MQ.INFO say of all of it.
fn shown(client: &mut Client) -> Vec<Value> {
    let mut shown = Vec::new();
    for queue in ["orders", "{orders}:dead", "shop", "{shop}:dead", "limited", "paused"] {
        for state in ["READY", "INFLIGHT", "DELAYED"] {
            shown.push(client.ask(&format!("MQ.PEEK {queue} {state} COUNT 1000")));
        }
        let info = client.map(&format!("MQ.INFO {queue}"));
        for field in
            ["priorities", "groups", "paused", "paused_until", "rate_window_start", "maxlen"]
        {
            shown.push(Value::SimpleString(info[field].clone()));
        }
    }
    shown.push(client.ask("MQ.SCHEDULES shop"));
    shown.push(client.ask("MQ.NEXT shop yearly"));
    shown
}

/// Changes nothing.
fn check_kept(client: &mut Client, filled: &Filled) {
    assert_eq!(client.text("DEBUG DIGEST"), filled.digest);
    assert_eq!(shown(client), filled.shown);
    let kept = &filled.shop;
    let held = client.map(&format!("MQ.GET shop {}", kept.held.id));
    assert_eq!((&*held["consumer"], &*held["state"]), ("ann", "inflight"));
    let retrying = client.map(&format!("MQ.GET shop {}", kept.retrying.id));
    assert_eq!((&*retrying["last_error"], &*retrying["retry_count"]), ("why", "1"));
    assert_eq!(client.text("MQ.PUSH shop x DEDUP done UNTILDONE"), kept.until_done);
    assert_eq!(client.text("MQ.PUSH shop x DEDUP window"), kept.window);
    client.pull_nothing("limited");
    client.pull_nothing("paused");
    assert_eq!(client.text("DEBUG DIGEST"), filled.digest);
}

fn process_orders(client: &mut Client, filled: &Orders) {
    assert_eq!(client.lengths("orders"), [7, 3, 2]);
    assert_eq!(client.ask("MQ.CHECK orders"), Value::Array(Vec::new()));
    assert_eq!(client.peek_texts("orders"), ["p1", "keyed", "plain", "plain", "c1", "a2", "b2"]);
    let info = client.map("MQ.INFO orders");
    for (name, value) in [("paused", "1"), ("groups", "3"), ("rate_window_count", "6")] {
        assert_eq!(info[name], value, "{name}");
    }
    for message in client.peek("orders INFLIGHT") {
        assert_eq!(message["consumer"], "worker");
    }
    client.pull_nothing("orders");
    client.ask("MQ.RESUME orders");
    assert_eq!(client.text("MQ.PUSH orders x DEDUP window"), filled.windowed);
    assert_eq!(client.text("MQ.PUSH orders x DEDUP done"), filled.keyed);
    // `a` is held and `b` in flight: the others take turns.
    let order = client.pull_texts(&format!("orders COUNT 9 {LONG}"));
    assert_eq!(order.len(), 5, "{order:?}");
    let plain: Vec<&String> = order.iter().filter(|text| *text != "c1").collect();
    assert_eq!(plain, ["p1", "keyed", "plain", "plain"]);
    client.pull_nothing("orders");
    let b1 = filled.deliveries.iter().find(|message| message.text() == "b1").expect("it");
    client.acknowledge(b1);
    assert_eq!(client.pull(&format!("orders {LONG}")).text(), "b2");
    assert_eq!(client.number(&format!("MQ.RESCHEDULE orders {} AT 0", filled.held.id)), 1);
    let again = client.pull(&format!("orders {LONG}"));
    assert_eq!((again.text(), again.retry_count), ("a1", 1));
    assert_eq!(again.more["last_error"], "later");
    assert_eq!(again.more["expires_at"], filled.held.more["expires_at"]);
    assert!(again.receipt > filled.held.receipt);
    client.acknowledge(&again);
    assert_eq!(client.pull(&format!("orders {LONG}")).text(), "a2");
    assert_eq!(client.queue_info("orders", "rate_window_count"), 14);
    assert_eq!(client.number(&format!("MQ.DEL orders {}", filled.keyed)), 1);
    assert_ne!(client.text("MQ.PUSH orders new DEDUP done"), filled.keyed);
    assert_eq!(client.get("orders", &filled.delayed).expect("it")["group"], "c");

    assert_eq!(client.number("MQ.REDRIVE {orders}:dead TO orders"), 1);
    let back = client.pull(&format!("orders {LONG}"));
    assert_eq!((back.text(), back.retry_count), ("dies", 0));
    assert_eq!((back.more["last_error"].as_str(), back.more["priority"].as_str()), ("bad", "9"));
    assert!(back.more.contains_key("headers"));
    let all = client.number("MQ.LEN orders");
    assert_eq!(client.number("MQ.PURGE orders"), all);
    assert_eq!(strings(&client.ask("KEYS mq:{orders}*")), ["mq:{orders}:config"]);
    assert_eq!(client.number("MQ.DROP orders"), 1);
}

fn process_shop(client: &mut Client, kept: &Shop) {
    let batch = client.pull_batch(&format!("shop COUNT 100 {LONG}"));
    let mut ungrouped: Vec<&str> = Vec::new();
    let mut grouped: Vec<&str> = Vec::new();
    for message in &batch {
        let texts = if message.more.contains_key("group") { &mut grouped } else { &mut ungrouped };
        texts.push(message.text());
    }
    assert_eq!(ungrouped, ["high", "low", "done", "window"]);
    // `g` is held by the message that waits for its retry.
    assert_eq!(grouped, ["h1"]);
    assert!(batch.iter().all(|message| message.receipt > kept.held.receipt));
    client.acknowledge(&kept.held);
    let by_text = |text: &str| batch.iter().find(|message| message.text() == text);
    client.acknowledge(by_text("h1").expect("h1"));
    assert_eq!(client.pull("shop").text(), "h2");
    let reschedule = format!("MQ.RESCHEDULE shop {} DELAY 0", kept.retrying.id);
    assert_eq!(client.number(&reschedule), 1);
    let first = client.pull("shop");
    assert_eq!((first.id, &*first.more["last_error"]), (kept.retrying.id.clone(), "why"));
    client.pull_nothing("shop");

    client.acknowledge(by_text("done").expect("done"));
    assert_ne!(client.text("MQ.PUSH shop x DEDUP done UNTILDONE"), kept.until_done);
    client.acknowledge(by_text("window").expect("window"));
    assert_eq!(client.text("MQ.PUSH shop x DEDUP window"), kept.window);
    assert_eq!(client.number("MQ.REDRIVE {shop}:dead TO shop"), 1);
    let again = client.pull("shop");
    assert_eq!((again.text(), &*again.more["last_error"]), ("dead", "poison"));
    assert!(again.more.contains_key("headers") && again.more["priority"] == "5");

    assert_eq!(client.number(&format!("MQ.DEL shop {}", kept.delayed)), 1);
    while client.number("MQ.LEN shop") < 11 {
        client.push("shop", "x");
    }
    let error = client.refused("MQ.PUSH shop x");
    assert!(error.starts_with("QUEUEFULL "), "{error}");
    client.ask("MQ.RESUME paused");
    client.pull("paused");
    client.ask("MQ.CONFIG limited RATE 3");
    client.pull("limited");
}
