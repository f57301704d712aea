package mqotel_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"testing"

	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	mq "redis-mq/clients/go"
	"redis-mq/clients/go/mqotel"
	"redis-mq/clients/go/mqtest"
)

func TestTheTraceOfAPushGoesOnInTheHandler(t *testing.T) {
	ctx := context.Background()
	recorder := tracetest.NewSpanRecorder()
	options := &mqotel.Options{TracerProvider: sdk.NewTracerProvider(sdk.WithSpanProcessor(recorder))}
	fake := mqtest.New()

	headers := map[string]string{"type": "order"}
	id, err := mqotel.NewProducer(fake, options).Push(ctx, "orders", []byte("a"), &mq.PushOptions{Headers: headers})
	if err != nil {
		t.Fatal(err)
	}
	if len(headers) != 1 {
		t.Error("the caller's headers were changed")
	}
	var handled trace.SpanContext
	worker := mq.NewWorker(fake, []string{"orders"}, func(ctx context.Context, m *mq.Message) error {
		handled = trace.SpanContextFromContext(ctx)
		if m.Headers["type"] != "order" {
			t.Error(m.Headers)
		}
		return errors.New("no stock")
	}, &mq.WorkerOptions{Middleware: []mq.Middleware{mqotel.Middleware(options)}, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err := worker.RunUntilEmpty(ctx, 0); err != nil {
		t.Fatal(err)
	}

	spans := recorder.Ended()
	if len(spans) != 2 {
		t.Fatalf("%d spans", len(spans))
	}
	send, process := spans[0], spans[1]
	if send.Name() != "send orders" || send.SpanKind() != trace.SpanKindProducer || process.Name() != "process orders" || process.SpanKind() != trace.SpanKindConsumer {
		t.Errorf("%v %v, %v %v", send.Name(), send.SpanKind(), process.Name(), process.SpanKind())
	}
	if process.Parent().SpanID() != send.SpanContext().SpanID() || handled.TraceID() != send.SpanContext().TraceID() {
		t.Error("they are of different traces")
	}
	if links := process.Links(); len(links) != 1 || links[0].SpanContext.SpanID() != send.SpanContext().SpanID() {
		t.Error("no link to the push")
	}
	if process.Status().Code != codes.Error {
		t.Error("the error was not recorded")
	}
	for _, span := range spans {
		attributes := map[string]string{}
		for _, one := range span.Attributes() {
			attributes[string(one.Key)] = one.Value.Emit()
		}
		if attributes["messaging.message.id"] != id || attributes["messaging.destination.name"] != "orders" || attributes["messaging.system"] != "redis_mq" {
			t.Error(attributes)
		}
	}
}

func TestABatchHasOneSpan(t *testing.T) {
	recorder := tracetest.NewSpanRecorder()
	fake := mqtest.New()
	producer := mqotel.NewProducer(fake, &mqotel.Options{TracerProvider: sdk.NewTracerProvider(sdk.WithSpanProcessor(recorder))})
	if _, err := producer.PushMany(context.Background(), "orders", [][]byte{[]byte("a"), []byte("b")}, nil); err != nil {
		t.Fatal(err)
	}
	messages, err := fake.PullMany(context.Background(), "orders", 2, nil)
	if err != nil || len(messages) != 2 || messages[1].Headers["traceparent"] == "" || len(recorder.Ended()) != 1 {
		t.Errorf("%+v, %v, %d spans", messages, err, len(recorder.Ended()))
	}
}
