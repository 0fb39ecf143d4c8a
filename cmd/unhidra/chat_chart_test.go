package main

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/testkit/live"
)

func TestAChartIsReadAsTheWebClientReadsIt(t *testing.T) {
	t.Parallel()
	house, shed := roomDevice{"dev_1", "Green house"}, roomDevice{"dev_2", "Shed"}
	both, one := []roomDevice{house, shed}, []roomDevice{shed}
	for _, c := range []struct {
		text    string
		devices []roomDevice
		device  string
		series  []string
		span    time.Duration
		err     error
	}{
		{text: "shed", devices: both, device: "dev_2", span: chartDay},
		{text: "green-house temperature, humidity 7d", devices: both, device: "dev_1",
			series: []string{"temperature", "humidity"}, span: 7 * chartDay},
		{text: "shed.temperature 90m", devices: both, device: "dev_2", series: []string{"temperature"},
			span: 90 * time.Minute},
		{text: "dev_2 24H", devices: both, device: "dev_2", span: chartDay},
		{text: "24h", devices: one, device: "dev_2", span: chartDay},
		{text: "temperature", devices: one, device: "dev_2", series: []string{"temperature"}, span: chartDay},
		{text: "barn 24h", devices: both, err: errChartDevice},
		{text: "", devices: both, err: errChartDevice},
		{text: "24h", err: errChartDevice},
		{text: "shed 900w", devices: both, err: errChartSpan},
		{text: "shed 0h", devices: both, err: errChartSpan},
		{text: "shed a b c d e", devices: both, err: errChartMany},
	} {
		wish, err := chartOf(c.text, c.devices)
		if !errors.Is(err, c.err) || err == nil &&
			(wish.device != c.device || !slices.Equal(wish.series, c.series) || wish.span != c.span) {
			t.Errorf("%q: %+v, %v", c.text, wish, err)
		}
	}
}

func TestAChartIsPostedFromTheTerminal(t *testing.T) {
	t.Parallel()
	s := live.Start(t, store.Options{Path: t.TempDir() + "/unhidra.db"})
	ann, ctx := s.User("ann"), t.Context()
	room, err := ann.CreateRoom(ctx, client.NewRoom{Kind: "private", Name: "Garden"})
	var device struct {
		Device struct {
			ID string `json:"id"`
		} `json:"device"`
		Key string `json:"key"`
	}
	if err == nil {
		err = ann.Do(ctx, "POST", "/devices", map[string]string{"name": "Green house"}, &device)
	}
	if err == nil {
		err = ann.Do(ctx, "POST", "/rooms/"+room.ID+"/members", map[string]string{"user": device.Device.ID}, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	node := client.New(s.URL)
	node.Device(device.Key)
	link := node.Live(ctx, client.LiveOptions{})
	t.Cleanup(link.Close)
	if err := link.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	report := map[string]any{"boot": 1, "seq": 1, "readings": map[string]any{"temperature": 21.5}}
	if err := link.Request(ctx, "report", report, nil); err != nil {
		t.Fatal(err)
	}
	var out, errs strings.Builder
	e := &env{
		stdin: strings.NewReader("/chart green-house temperature 24h\n/chart 900w\n"), stdout: &out, stderr: &errs,
		environ: []string{"UNHIDRA_TOKEN=" + ann.Tokens().Access},
	}
	code := run(ctx, e, []string{"chat", "--server", s.URL, "--room", "Garden"})
	for _, want := range []string{"chart of 24h0m0s by @ann\n", " temperature: 21.5 (21.5 to 21.5, mean 21.5)\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in:\n%s", want, &out)
		}
	}
	if code != exitFail || !strings.Contains(errs.String(), "a minute to a year") {
		t.Errorf("exit code %d\n%s\n%s", code, &out, &errs)
	}
}
