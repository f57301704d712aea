// Spans for pushes and for handlers, by OpenTelemetry's conventions for messaging. The trace context travels in the headers, as
// `traceparent` if the program has registered the W3C propagator, which is the default of OpenTelemetry's SDK.

import { context, propagation, SpanKind, SpanStatusCode, trace, type Attributes, type Context, type Span } from '@opentelemetry/api';
import type { PushMiddleware } from './client.js';
import { Release, Retry } from './outcomes.js';
import type { Middleware } from './worker/options.js';

const SYSTEM = 'redis_mq';

/** For `new Client(redis, { aroundPush: tracePush })`: a span for each push, whose context is sent with the message. */
export const tracePush: PushMiddleware = (queue, send) =>
  inSpan('send', queue, SpanKind.PRODUCER, {}, context.active(), () => {
    const headers = {};
    propagation.inject(context.active(), headers);
    return send(headers);
  });

/** For `new Worker(redis, queue, handler, { middleware: [traceProcess] })`: a span for each handler, below that of the push. */
export const traceProcess: Middleware = (message, _, next) => {
  const attributes = { 'messaging.message.id': message.id, 'messaging.message.body.size': message.payload.length };
  return inSpan('process', message.queue, SpanKind.CONSUMER, attributes, propagation.extract(context.active(), message.headers), next);
};

function inSpan<T>(operation: string, queue: string, kind: SpanKind, attributes: Attributes, parent: Context, run: () => Promise<T>): Promise<T> {
  const options = {
    kind,
    attributes: {
      'messaging.system': SYSTEM,
      'messaging.operation.name': operation,
      'messaging.operation.type': operation,
      'messaging.destination.name': queue,
      ...attributes,
    },
  };
  return trace.getTracer('redis-mq').startActiveSpan(`${operation} ${queue}`, options, parent, async (span) => {
    try {
      return await run();
    } catch (error) {
      if (!(error instanceof Retry) && !(error instanceof Release)) fail(span, error);
      throw error;
    } finally {
      span.end();
    }
  });
}

function fail(span: Span, error: unknown): void {
  const { name, message } = error instanceof Error ? error : new Error(String(error));
  span.recordException({ name, message });
  span.setAttribute('error.type', name);
  span.setStatus({ code: SpanStatusCode.ERROR, message });
}
