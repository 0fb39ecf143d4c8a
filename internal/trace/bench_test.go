package trace

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"syscall"
	"testing"
)

// BenchmarkMessage does what tracing does of one message on a server alone: request, send, commit,
// publication and delivery, and the export to a receiver in this process. cpu-ns is the processor
// time of a message.
func BenchmarkMessage(b *testing.B) {
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
	}))
	defer receiver.Close()
	for _, share := range []float64{-1, 0, 0.01, 1} {
		name, url := "off", ""
		if share >= 0 {
			name, url = strconv.FormatFloat(100*share, 'g', -1, 64)+"%", receiver.URL
		}
		b.Run(name, func(b *testing.B) {
			tracer, err := New(Options{URL: url, Share: share, Log: slog.New(slog.DiscardHandler)})
			if err != nil {
				b.Fatal(err)
			}
			ctx, stop := context.WithCancel(b.Context())
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				if tracer != nil {
					_ = tracer.Run(ctx)
				}
			}()
			b.ReportAllocs()
			before := cpu(b)
			for b.Loop() {
				message(tracer)
			}
			stop()
			<-ended
			b.ReportMetric(float64(cpu(b)-before)/float64(b.N), "cpu-ns/op")
		})
	}
}

func message(t *Tracer) {
	ctx, r := t.Request(context.Background(), "ws", "message.send", "")
	ctx, send := Start(ctx, "chat.send")
	parent := Parent(ctx)
	commit := StartBatch("store.commit", 1, func(int) context.Context { return ctx })
	commit.End(nil)
	ctx, publish := t.Continue(ctx, "bus.publish", parent)
	publish.Room("rom_06h0", 1)
	_, deliver := t.Continue(ctx, "hub.deliver", Parent(ctx))
	deliver.Room("rom_06h0", 1)
	deliver.End(nil)
	publish.End(nil)
	send.End(nil)
	r.End("con_06h0/1", false)
}

func cpu(b *testing.B) int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}
