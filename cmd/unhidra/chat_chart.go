package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/unhidra/unhidra/client"
)

const (
	chartDay     = 24 * time.Hour
	chartLongest = 366 * chartDay
	chartSeries  = 4 // at most
)

var (
	errChartDevice = errors.New("name a device in this room: /chart DEVICE 24h")
	errChartSpan   = errors.New("a chart covers a minute to a year: 90m, 24h, 7d or 4w")
	errChartMany   = fmt.Errorf("a chart shows at most %d values", chartSeries)

	notOfName = regexp.MustCompile(`[\s.]+`)
	chartTime = regexp.MustCompile(`^(\d{1,6})(m|min|h|d|w)$`)
)

// roomDevice is a device in a room.
type roomDevice struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// chartWish is what "/chart greenhouse temperature 24h" asks for.
type chartWish struct {
	device string
	series []string // none: the first ones
	span   time.Duration
}

// chart posts a chart of a device to the open room.
func (t *chatSession) chart(ctx context.Context, room, rest string) error {
	var page struct {
		Items []roomDevice `json:"items"`
	}
	if err := t.c.Do(ctx, http.MethodGet, "/rooms/"+room+"/devices?limit=200", nil, &page); err != nil {
		return err
	}
	wish, err := chartOf(rest, page.Items)
	if err != nil {
		return err
	}
	var posted client.Event
	err = t.await(func() error {
		return t.c.Do(ctx, http.MethodPost, "/rooms/"+room+"/charts", map[string]any{"key": rand.Text(),
			"device": wish.device, "series": wish.series, "span": int(wish.span / time.Second)}, &posted)
	})
	if err == nil && t.piped {
		t.echo(ctx, room, posted.Seq)
	}
	return err
}

// chartOf reads the words after /chart as the composer of the web client does. A device goes by its name,
// with hyphens instead of spaces and dots, or by its id; the only one of a room need not be named.
func chartOf(rest string, devices []roomDevice) (chartWish, error) {
	words := strings.FieldsFunc(rest, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' })
	wish := chartWish{span: chartDay, series: []string{}}
	if n := len(words); n > 0 {
		if span, ok := chartSpan(words[n-1]); ok {
			wish.span, words = span, words[:n-1]
		}
	}
	if wish.span < time.Minute || wish.span > chartLongest {
		return wish, errChartSpan
	}
	var ok bool
	if wish.device, words, ok = chartDevice(words, devices); !ok {
		return wish, errChartDevice
	}
	if len(words) > chartSeries {
		return wish, errChartMany
	}
	wish.series = append(wish.series, words...)
	return wish, nil
}

// chartDevice returns the device that the first word names, also as DEVICE.SERIES, and the other words.
func chartDevice(words []string, devices []roomDevice) (id string, rest []string, ok bool) {
	wordOf := func(name string) string {
		return notOfName.ReplaceAllString(strings.TrimSpace(strings.ToLower(name)), "-")
	}
	named := func(word string) int {
		if i := slices.IndexFunc(devices, func(d roomDevice) bool { return d.ID == word }); i >= 0 {
			return i
		}
		return slices.IndexFunc(devices, func(d roomDevice) bool { return wordOf(d.Name) == wordOf(word) })
	}
	if len(words) > 0 {
		if i := named(words[0]); i >= 0 {
			return devices[i].ID, words[1:], true
		}
		if before, after, dotted := strings.Cut(words[0], "."); dotted && before != "" {
			if i := named(before); i >= 0 {
				return devices[i].ID, append([]string{after}, words[1:]...), after != ""
			}
		}
	}
	if len(devices) == 1 {
		return devices[0].ID, words, true
	}
	return "", nil, false
}

// chartSpan reads a length of time such as 90m, 24h, 7d or 2w.
func chartSpan(word string) (time.Duration, bool) {
	m := chartTime.FindStringSubmatch(strings.ToLower(word))
	if m == nil {
		return 0, false
	}
	units := map[string]time.Duration{"m": time.Minute, "min": time.Minute, "h": time.Hour, "d": chartDay,
		"w": 7 * chartDay}
	n, err := strconv.Atoi(m[1])
	return time.Duration(n) * units[m[2]], err == nil
}
