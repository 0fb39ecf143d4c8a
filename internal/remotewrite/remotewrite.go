// Package remotewrite sends samples to a receiver of Prometheus remote write, version 1.0. It keeps nothing
// and tries nothing twice.
package remotewrite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/klauspost/compress/s2"
	"google.golang.org/protobuf/encoding/protowire"
)

// A Label is a name and a value. Those of a series are in the order of their names.
type Label struct{ Name, Value string }

// A Sample is a value at a time, in milliseconds since 1970.
type Sample struct {
	At    int64
	Value float64
}

// A Series is some samples of one series, in the order of their times.
type Series struct {
	Labels  []Label
	Samples []Sample
}

// ErrRefused is returned when the receiver will never take what was sent: it is malformed, too old, or
// the receiver has another value of that time.
var ErrRefused = errors.New("the receiver of remote write refused samples")

// A LaterError says that the receiver may take the same later.
type LaterError struct {
	After time.Duration // 0: the receiver does not say
	Cause error
}

func (e *LaterError) Error() string {
	return "the receiver of remote write takes nothing now: " + e.Cause.Error()
}

// Unwrap returns the cause.
func (e *LaterError) Unwrap() error { return e.Cause }

// Client sends to one receiver.
type Client struct {
	URL   string
	User  string // with it, Token is a password of HTTP basic authentication
	Token string // empty: none
	HTTP  *http.Client
}

const (
	sendTimeout = 30 * time.Second
	maxAnswer   = 512 // bytes of an error's text
)

// Send sends series in one request. It fails with ErrRefused or a *LaterError.
func (c *Client) Send(ctx context.Context, all []Series) error {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	body := s2.EncodeSnappy(nil, Encode(all))
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.URL, bytes.NewReader(body))
	if err != nil {
		return &LaterError{Cause: err}
	}
	req.Header.Set("Content-Encoding", "snappy")
	req.Header.Set("Content-Type", "application/x-protobuf")
	req.Header.Set("User-Agent", "unhidra")
	req.Header.Set("X-Prometheus-Remote-Write-Version", "0.1.0")
	switch {
	case c.User != "":
		req.SetBasicAuth(c.User, c.Token)
	case c.Token != "":
		req.Header.Set("Authorization", "Bearer "+c.Token)
	}
	res, err := c.HTTP.Do(req)
	if err != nil {
		return &LaterError{Cause: err}
	}
	defer func() { _ = res.Body.Close() }() // it was only read
	text, _ := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	said := fmt.Errorf("%s: %s", res.Status, bytes.TrimSpace(text))
	switch {
	case res.StatusCode/100 == 2:
		return nil
	case res.StatusCode == http.StatusBadRequest, res.StatusCode == http.StatusRequestEntityTooLarge,
		res.StatusCode == http.StatusUnprocessableEntity:
		return fmt.Errorf("%w: %w", ErrRefused, said)
	}
	seconds, _ := strconv.Atoi(res.Header.Get("Retry-After")) // else it is a date, or none
	return &LaterError{After: time.Duration(seconds) * time.Second, Cause: said}
}

// Numbers of the fields of prometheus.WriteRequest and of what is in it.
const (
	fieldSeries, fieldLabels, fieldSamples = 1, 1, 2
	fieldName, fieldLabelValue             = 1, 2
	fieldValue, fieldTimestamp             = 1, 2
)

// Encode returns series as a prometheus.WriteRequest in Protocol Buffers.
func Encode(all []Series) (b []byte) {
	var series, part []byte
	for _, s := range all {
		series = series[:0]
		for _, l := range s.Labels {
			part = protowire.AppendTag(part[:0], fieldName, protowire.BytesType)
			part = protowire.AppendString(part, l.Name)
			part = protowire.AppendTag(part, fieldLabelValue, protowire.BytesType)
			part = protowire.AppendString(part, l.Value)
			series = protowire.AppendTag(series, fieldLabels, protowire.BytesType)
			series = protowire.AppendBytes(series, part)
		}
		for _, sample := range s.Samples {
			part = protowire.AppendTag(part[:0], fieldValue, protowire.Fixed64Type)
			part = protowire.AppendFixed64(part, math.Float64bits(sample.Value))
			part = protowire.AppendTag(part, fieldTimestamp, protowire.VarintType)
			part = protowire.AppendVarint(part, uint64(sample.At))
			series = protowire.AppendTag(series, fieldSamples, protowire.BytesType)
			series = protowire.AppendBytes(series, part)
		}
		b = protowire.AppendTag(b, fieldSeries, protowire.BytesType)
		b = protowire.AppendBytes(b, series)
	}
	return b
}
