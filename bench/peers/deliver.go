package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/unhidra/unhidra/internal/mqtt/packet"
)

const (
	hearers   = 50
	sayers    = 4
	sayPace   = 10 * time.Millisecond // half of what a connection may
	sayLength = 64                    // bytes of a message
)

// deliver is what it costs to bring a message from an MQTT publisher to a subscriber, beside mosquitto in the
// same run: four clients of one user publish, and fifty are subscribed.
func (s *settings) deliver(ctx context.Context) error {
	fmt.Println("| server | QoS | deliveries/s | CPU µs each | lost |")
	fmt.Println("|---|---|---|---|---|")
	w, err := makeWorld(ctx, s.fresh(), "", 1, 1)
	if err != nil {
		return err
	}
	for _, qos := range []byte{0, 1} {
		for _, start := range []func() (*target, error){
			func() (*target, error) { return startMosquitto(s.fresh(), "") },
			func() (*target, error) { return w.startMQTT(s.unhidra, "") },
		} {
			t, err := start()
			if err != nil {
				return err
			}
			err = w.oneDeliver(ctx, t, qos, s.length)
			t.stop()
			if err != nil {
				return fmt.Errorf("%s: %w\n%s", t.name, err, tail(t.servers))
			}
		}
	}
	return nil
}

func (w *world) oneDeliver(ctx context.Context, t *target, qos byte, length time.Duration) error {
	var conns []net.Conn
	var wg sync.WaitGroup
	defer wg.Wait()
	defer func() {
		for _, c := range conns {
			_ = c.Close()
		}
	}()
	var heard atomic.Int64
	for i := range hearers + sayers {
		topic := "bench/#"
		if i >= hearers {
			topic = fmt.Sprint("quiet/", i)
		}
		c, err := w.openMQTT(ctx, t, i, 0, packet.Filter{Topic: topic, QoS: qos})
		if err != nil {
			return err
		}
		conns = append(conns, c)
		_ = c.SetReadDeadline(time.Time{})
		wg.Go(func() { hear(c, &heard) })
	}
	used, began := t.cpu(), time.Now()
	said, err := say(conns[hearers:], qos, length)
	if err != nil {
		return err
	}
	for waiting := time.Now(); heard.Load() < said*hearers && time.Since(waiting) < 5*time.Second; {
		time.Sleep(20 * time.Millisecond)
	}
	got, took := heard.Load(), time.Since(began).Seconds()
	fmt.Printf("| %s | %d | %.0f | **%.2f** | %d |\n", t.name, qos, float64(got)/took,
		float64((t.cpu()-used).Microseconds())/float64(got), said*hearers-got)
	return nil
}

// say publishes from each connection at its pace, and returns how many messages that were.
func say(conns []net.Conn, qos byte, length time.Duration) (said int64, err error) {
	tick := time.NewTicker(sayPace)
	defer tick.Stop()
	var errs []error
	for began, id := time.Now(), uint16(0); time.Since(began) < length; <-tick.C {
		if id++; id == 0 {
			id = 1
		}
		for i, c := range conns {
			b, _ := packet.AppendPublish(nil, packet.V311, packet.Publish{QoS: qos, Topic: fmt.Sprint("bench/", i), ID: id,
				Payload: make([]byte, sayLength)})
			if _, err := c.Write(b); err != nil {
				errs = append(errs, err)
			}
			said++
		}
	}
	return said, errors.Join(errs...)
}

// hear counts and acknowledges the messages of a connection until it ends.
func hear(c net.Conn, heard *atomic.Int64) {
	buf := make([]byte, 0, 64<<10)
	for {
		n, err := c.Read(buf[len(buf):cap(buf)])
		if err != nil {
			return
		}
		buf = buf[:len(buf)+n]
		var acks []byte
		rest := buf
		for {
			h, body, size, _, err := packet.Split(rest, packet.MaxLength)
			if err != nil || size == 0 {
				break
			}
			if h.Type == packet.PUBLISH {
				heard.Add(1)
				if p, err := packet.ParsePublish(h, body, packet.V311); err == nil && p.QoS == 1 {
					acks = packet.AppendAck(acks, packet.PUBACK, packet.V311, packet.Ack{ID: p.ID})
				}
			}
			rest = rest[size:]
		}
		buf = buf[:copy(buf, rest)]
		if len(acks) > 0 {
			if _, err := c.Write(acks); err != nil {
				return
			}
		}
	}
}
