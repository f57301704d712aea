// Spans and their context, from a push to its handler.

import assert from 'node:assert/strict';
import { before, beforeEach, test } from 'node:test';
import { context, propagation, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { Client, Retry, Worker, type Handler } from 'redis-mq';
import { tracePush, traceProcess } from 'redis-mq/opentelemetry';
import { FakeRedis } from 'redis-mq/testing';

const exporter = new InMemorySpanExporter();

before(() => {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }));
});
beforeEach(() => exporter.reset());

/** Pushes one message, lets a handler have it, and returns the spans. */
async function spansOf(handler: Handler, headers: Record<string, string> = {}) {
  const fake = new FakeRedis();
  const queue = new Client(fake, { aroundPush: tracePush });
  await queue.push('orders', 'hello', { headers });
  await new Worker(fake, 'orders', handler, { middleware: [traceProcess], log: () => {} }).runUntilEmpty(0);
  return exporter.getFinishedSpans();
}

test('the span of the handler is below that of the push', async () => {
  let inHandler: string | undefined;
  let traceparent: string | undefined;
  const [push, process] = await spansOf((message) => {
    inHandler = trace.getActiveSpan()?.spanContext().spanId;
    traceparent = message.headers['traceparent'];
  });
  const { traceId, spanId } = push!.spanContext();
  assert.deepEqual([push!.name, push!.kind], ['send orders', SpanKind.PRODUCER]);
  assert.deepEqual([process!.name, process!.kind], ['process orders', SpanKind.CONSUMER]);
  assert.equal(traceparent, `00-${traceId}-${spanId}-01`);
  assert.equal(process!.spanContext().traceId, traceId);
  assert.equal(process!.spanContext().spanId, inHandler);
  assert.deepEqual(
    { ...process!.attributes, 'messaging.message.id': '' },
    {
      'messaging.system': 'redis_mq',
      'messaging.operation.name': 'process',
      'messaging.operation.type': 'process',
      'messaging.destination.name': 'orders',
      'messaging.message.id': '',
      'messaging.message.body.size': 5,
    },
  );
});

test('a failure is an error of the span, a retry is none', async () => {
  const [, failed] = await spansOf(() => {
    throw new TypeError('no stock');
  });
  assert.deepEqual(failed!.status, { code: SpanStatusCode.ERROR, message: 'no stock' });
  assert.equal(failed!.attributes['error.type'], 'TypeError');
  exporter.reset();
  const [, retried] = await spansOf(() => {
    throw new Retry(60_000);
  });
  assert.equal(retried!.status.code, SpanStatusCode.UNSET);
});

test('headers of the push win, and others stay', async () => {
  const seen: Record<string, string>[] = [];
  await spansOf((message) => seen.push({ ...message.headers }), { traceparent: 'mine', type: 'order' });
  assert.deepEqual(seen, [{ traceparent: 'mine', type: 'order' }]);
});
