// Package mqotel traces messages of redis-mq with OpenTelemetry: the trace of the push goes on in the handler, by the W3C headers traceparent
// and tracestate of the message. It is a module of its own, so that programs without it do not fetch OpenTelemetry.
//
//	producer := mqotel.NewProducer(client, nil)
//	producer.Push(ctx, "orders", payload, nil)       // or mq.Publish(ctx, producer, ...)
//	mq.WorkerOptions{Middleware: []mq.Middleware{mqotel.Middleware(nil)}}
//
// The names of spans and attributes are those of OpenTelemetry's conventions for messaging.
package mqotel

import (
	"context"
	"maps"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	mq "redis-mq/clients/go"
)

const scope = "redis-mq/clients/go/mqotel"

// Options say where spans go. The zero value: to the global provider, by W3C trace context.
type Options struct {
	TracerProvider trace.TracerProvider
	Propagator     propagation.TextMapPropagator
}

func (o *Options) parts() (trace.Tracer, propagation.TextMapPropagator) {
	var all Options
	if o != nil {
		all = *o
	}
	if all.TracerProvider == nil {
		all.TracerProvider = otel.GetTracerProvider()
	}
	if all.Propagator == nil {
		all.Propagator = propagation.TraceContext{}
	}
	return all.TracerProvider.Tracer(scope), all.Propagator
}

// Middleware runs handlers in a span of the kind consumer, whose parent is the push, with a link to it too. Errors of handlers are recorded.
func Middleware(options *Options) mq.Middleware {
	tracer, propagator := options.parts()
	return func(next mq.Handler) mq.Handler {
		return func(ctx context.Context, message *mq.Message) error {
			ctx = propagator.Extract(ctx, propagation.MapCarrier(message.Headers))
			attributes := attributesOf("process", message.Queue, 1, len(message.Payload))
			attributes = append(attributes, attribute.String("messaging.message.id", message.ID),
				attribute.Int("messaging.redis_mq.message.retry_count", message.RetryCount))
			start := []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(attributes...)}
			if trace.SpanContextFromContext(ctx).IsRemote() {
				start = append(start, trace.WithLinks(trace.LinkFromContext(ctx)))
			}
			ctx, span := tracer.Start(ctx, "process "+message.Queue, start...)
			defer span.End()
			err := next(ctx, message)
			fail(span, err)
			return err
		}
	}
}

// Commands are what a Producer needs of a client.
type Commands interface {
	mq.Pusher
	PushMany(ctx context.Context, queue string, payloads [][]byte, options *mq.PushOptions) (ids []string, err error)
}

// Producer pushes in spans of the kind producer, and puts their context into the headers.
type Producer struct {
	commands   Commands
	tracer     trace.Tracer
	propagator propagation.TextMapPropagator
}

// NewProducer returns a producer that pushes with a client.
func NewProducer(commands Commands, options *Options) *Producer {
	tracer, propagator := options.parts()
	return &Producer{commands, tracer, propagator}
}

// Push is that of the client. With [mq.Publish], each attempt has a span.
func (p *Producer) Push(ctx context.Context, queue string, payload []byte, options *mq.PushOptions) (string, error) {
	ctx, span, options := p.start(ctx, queue, 1, len(payload), options)
	defer span.End()
	id, err := p.commands.Push(ctx, queue, payload, options)
	if err == nil {
		span.SetAttributes(attribute.String("messaging.message.id", id))
	}
	fail(span, err)
	return id, err
}

// PushMany is that of the client. All messages have the same headers, so the spans of their handlers have the same parent.
func (p *Producer) PushMany(ctx context.Context, queue string, payloads [][]byte, options *mq.PushOptions) ([]string, error) {
	size := 0
	for _, payload := range payloads {
		size += len(payload)
	}
	ctx, span, options := p.start(ctx, queue, len(payloads), size, options)
	defer span.End()
	ids, err := p.commands.PushMany(ctx, queue, payloads, options)
	fail(span, err)
	return ids, err
}

func (p *Producer) start(ctx context.Context, queue string, count, size int, options *mq.PushOptions) (context.Context, trace.Span, *mq.PushOptions) {
	attributes := attributesOf("send", queue, count, size)
	ctx, span := p.tracer.Start(ctx, "send "+queue, trace.WithSpanKind(trace.SpanKindProducer), trace.WithAttributes(attributes...))
	var traced mq.PushOptions
	if options != nil {
		traced = *options
	}
	if traced.Headers = maps.Clone(traced.Headers); traced.Headers == nil {
		traced.Headers = map[string]string{}
	}
	p.propagator.Inject(ctx, propagation.MapCarrier(traced.Headers))
	return ctx, span, &traced
}

func attributesOf(operation, queue string, count, size int) []attribute.KeyValue {
	attributes := []attribute.KeyValue{
		attribute.String("messaging.system", "redis_mq"),
		attribute.String("messaging.operation.name", operation),
		attribute.String("messaging.operation.type", operation),
		attribute.String("messaging.destination.name", queue),
	}
	if count != 1 {
		return append(attributes, attribute.Int("messaging.batch.message_count", count))
	}
	return append(attributes, attribute.Int("messaging.message.body.size", size))
}

func fail(span trace.Span, err error) {
	if err != nil {
		span.RecordError(err)
		span.SetStatus(codes.Error, err.Error())
	}
}
