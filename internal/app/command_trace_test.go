package app_test

import (
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/mqtt/packet"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/live"
	"github.com/unhidra/unhidra/internal/testkit/mqtttest"
	"github.com/unhidra/unhidra/internal/testkit/otlptest"
	"github.com/unhidra/unhidra/internal/wire"
)

// deviceSpan is a span of a device's own, in the caller's trace.
const deviceSpan = "d0d0d0d0d0d0d0d0"

// attr is the text of an attribute of a span.
func attr(s otlptest.Span, key string) string {
	for _, a := range s.Attributes {
		if a.Key == key {
			return a.Value.GetStringValue()
		}
	}
	return ""
}

// commandSpans names the spans of what is particular to commands.
func commandSpans(s otlptest.Span) string {
	if s.Name == "ws command" || strings.HasPrefix(s.Name, "command.") {
		return strings.TrimSpace(s.Name + " " + attr(s, "unhidra.state"))
	}
	return ""
}

// A command in a room is one trace, from whoever gives it to what the device answers, and the room hears.
func TestCommandIsOneTrace(t *testing.T) {
	t.Parallel()
	otlp := otlptest.Start(t)
	s := live.Start(t, testkit.SQLite(t), "UNHIDRA_OTLP_URL="+otlp.HTTP, "UNHIDRA_TRACE_SAMPLE=0")
	ann := s.User("ann")
	ann.Traceparent = tracedOnly
	f := newFan(t, s, ann)
	f.connect(t, s)
	room, err := ann.CreateRoom(t.Context(), client.NewRoom{Kind: "private", Name: "Garden"})
	must(t, err)
	must(t, ann.Do(t.Context(), "POST", "/rooms/"+room.ID+"/members", map[string]string{"user": f.id}, nil))
	l := ann.Live(t.Context(), client.LiveOptions{})
	t.Cleanup(l.Close)

	var given wire.Command
	must(t, l.Request(traced(t), wire.TypeCommand, wire.NewCommand{Device: f.id, Room: room.ID, Key: "k1", Action: "fan",
		Args: map[string]any{"state": "on"}}, &given))
	if given.Trace != "" {
		t.Errorf("who gave the command is told the trace %s", given.Trace)
	}
	told := next(t, f.told)
	f.report(t, wire.CommandReport{ID: told.ID, State: "done"})
	isTree(t, otlp, commandSpans, "ws command\n  command.deliver\n  command.report done\n")
	if !strings.Contains(told.Trace, traceID) {
		t.Errorf("the device is told the trace %q, want one of %s", told.Trace, traceID)
	}
	wait(t, func() bool { // the answer is delivered in that trace
		return slices.ContainsFunc(otlp.Spans(), func(s otlptest.Span) bool {
			return s.Name == "hub.deliver" && hex.EncodeToString(s.TraceId) == traceID && seqOf(s) > given.Seq
		})
	})
}

func seqOf(s otlptest.Span) int64 {
	for _, a := range s.Attributes {
		if a.Key == "unhidra.seq" {
			return a.Value.GetIntValue()
		}
	}
	return 0
}

// By MQTT 5 the trace is a user property, and what the device answers is a part of the span that it names.
func TestCommandByMQTTIsOneTrace(t *testing.T) {
	t.Parallel()
	otlp := otlptest.Start(t)
	s := live.Start(t, testkit.SQLite(t), "UNHIDRA_OTLP_URL="+otlp.HTTP, "UNHIDRA_TRACE_SAMPLE=0")
	ann := s.User("ann")
	ann.Traceparent = tracedOnly
	f := newFan(t, s, ann)
	c := mqtttest.Must(t, s.MQTT, connectAs(packet.V5, "fan", f.key))
	c.Subscribe(packet.Filter{Topic: "uh/d/" + f.id + "/c", QoS: 1})
	must(t, ann.Do(traced(t), "POST", "/devices/"+f.id+"/commands", map[string]any{"key": "k1", "action": "fan",
		"args": map[string]any{"state": "on"}}, nil))
	m := c.Message()
	var told wire.Command
	must(t, json.Unmarshal(m.Payload, &told))
	i := slices.IndexFunc(m.Props, func(p packet.Property) bool {
		return p.ID == packet.UserProperty && p.Text == "traceparent"
	})
	if i < 0 || m.Props[i].Value != told.Trace || !strings.Contains(told.Trace, traceID) {
		t.Fatalf("the device is told %q, with the properties %v", told.Trace, m.Props)
	}
	answer := func(state, trace string) {
		t.Helper()
		b, err := json.Marshal(wire.CommandReport{ID: told.ID, State: state})
		must(t, err)
		p := packet.Publish{Topic: "uh/d/" + f.id + "/c/res", Payload: b, QoS: 1,
			Props: packet.Properties{{ID: packet.UserProperty, Text: "traceparent", Value: trace}}}
		if code := c.Publish(p); code != packet.Success {
			t.Fatalf("an answer was answered 0x%02x", byte(code))
		}
	}
	answer("running", "00-"+strings.Repeat("ab", 16)+"-"+deviceSpan+"-01") // of another trace: not followed
	answer("done", "00-"+traceID+"-"+deviceSpan+"-01")
	parents := func() map[string]string {
		found := make(map[string]string)
		for _, s := range otlp.Spans() {
			if hex.EncodeToString(s.TraceId) == traceID && s.Name == "command.report" {
				found[attr(s, "unhidra.state")] = hex.EncodeToString(s.ParentSpanId)
			}
		}
		return found
	}
	wait(t, func() bool { return len(parents()) == 2 })
	if got := parents(); got["done"] != deviceSpan || got["running"] == deviceSpan {
		t.Errorf("the answers are parts of %v", got)
	}
}
