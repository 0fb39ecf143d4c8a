package assistant

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	maxLine    = 256 << 10 // bytes of a line of a stream
	maxBody    = 8 << 20   // of an answer, with all that is around its text
	maxGarbage = 10        // lines of a stream that say nothing
)

// A turn is a message as the endpoint gets it.
type turn struct {
	Role    string `json:"role"` // system, user or assistant
	Content string `json:"content"`
}

// A failure is why the endpoint gave no answer, or not all of it.
type failure struct {
	why   string
	final bool          // to ask again is of no use
	after time.Duration // how long it wants to be left alone; 0: it does not say
	busy  bool
	cause error
}

func (f *failure) Error() string {
	if f.cause != nil {
		return f.why + ": " + f.cause.Error()
	}
	return f.why
}

func (f *failure) Unwrap() error { return f.cause }

// chunk is a part of an answer that comes as a stream, or a whole one that does not. What else it has is not read.
type chunk struct {
	Choices []struct {
		Delta, Message struct {
			Content string `json:"content"`
		}
		FinishReason string `json:"finish_reason"`
	} `json:"choices"`
	Usage *struct {
		Prompt     int64 `json:"prompt_tokens"`
		Completion int64 `json:"completion_tokens"`
	} `json:"usage"`
	Error json.RawMessage `json:"error"`
}

// ask has the endpoint, or the model, answer what was asked in a room, and yield called with each piece of the text.
// short says that the model wanted to write more than it may. What the endpoint says of an error is not repeated: it
// may hold a part of the key.
func (s *Service) ask(ctx context.Context, room string, turns []turn, yield func(string)) (short bool, err error) {
	begun := time.Now()
	if s.Endpoint.URL == "" {
		err = s.askModel(ctx, room, turns, yield)
	} else {
		short, err = s.request(ctx, turns, yield)
	}
	result := resultOK
	var f *failure
	switch {
	case err == nil:
	case errors.Is(context.Cause(ctx), errEnough):
		err, result = nil, resultStopped
	case errors.As(err, &f) && f.busy:
		result = resultBusy
	case errors.As(err, &f) && f.final:
		result = resultRefused
	default:
		result = resultFailed
	}
	s.metrics.requests.WithLabelValues(result).Inc()
	s.metrics.took.Observe(time.Since(begun).Seconds())
	return short, err
}

// errEnough is why a request is canceled that nobody waits for any more.
var errEnough = errors.New("nobody wants the rest of the answer")

func (s *Service) request(ctx context.Context, turns []turn, yield func(string)) (short bool, err error) {
	body, err := json.Marshal(map[string]any{"model": s.Endpoint.Model, "messages": turns, "stream": true})
	if err != nil {
		return false, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.Endpoint.URL+"/chat/completions", bytes.NewReader(body))
	if err != nil {
		return false, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "text/event-stream, application/json")
	if s.Endpoint.Key != "" {
		r.Header.Set("Authorization", "Bearer "+s.Endpoint.Key)
	}
	res, err := s.Client.Do(r)
	if err != nil {
		return false, &failure{why: "it cannot be reached", cause: err}
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return false, statusFailure(res, s.Now())
	}
	in := io.LimitReader(res.Body, maxBody)
	if kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type")); kind == "application/json" {
		return s.whole(in, yield)
	}
	return s.stream(in, yield)
}

func statusFailure(res *http.Response, now time.Time) *failure {
	f := &failure{why: fmt.Sprintf("it answers with status %d", res.StatusCode)}
	switch code := res.StatusCode; {
	case code == http.StatusTooManyRequests || code == http.StatusServiceUnavailable:
		f.busy, f.after = true, retryAfter(res.Header.Get("Retry-After"), now)
	case code >= 500 || code == http.StatusRequestTimeout:
	case code >= 300 && code < 400:
		f.why, f.final = "it redirects, and UNHIDRA_ASSISTANT_URL is to name where it is", true
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		f.why, f.final = fmt.Sprintf("it does not take the key of UNHIDRA_ASSISTANT_KEY (%d)", code), true
	default:
		f.final = true
	}
	return f
}

// retryAfter reads Retry-After, of seconds or of a time (RFC 9110, section 10.2.3).
func retryAfter(value string, now time.Time) time.Duration {
	if n, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(n) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}

// whole reads an answer that comes in one piece.
func (s *Service) whole(in io.Reader, yield func(string)) (short bool, err error) {
	var c chunk
	if err := json.NewDecoder(in).Decode(&c); err != nil {
		return false, &failure{why: "its answer is no JSON"}
	}
	_, short, err = s.take(c, yield)
	return short, err
}

// take yields what a chunk says. done says that it is the last with text.
func (s *Service) take(c chunk, yield func(string)) (done, short bool, err error) {
	if len(c.Error) > 0 && string(c.Error) != "null" {
		return false, false, &failure{why: "it says that it failed"}
	}
	if c.Usage != nil {
		s.metrics.tokens.WithLabelValues("prompt").Add(float64(max(0, c.Usage.Prompt)))
		s.metrics.tokens.WithLabelValues("completion").Add(float64(max(0, c.Usage.Completion)))
	}
	for _, choice := range c.Choices[:min(len(c.Choices), 1)] {
		if text := choice.Delta.Content + choice.Message.Content; text != "" {
			yield(text)
		}
		done, short = choice.FinishReason != "", choice.FinishReason == "length"
	}
	return done, short, nil
}

// stream reads an answer that comes as server-sent events.
func (s *Service) stream(in io.Reader, yield func(string)) (short bool, err error) {
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 0, 4<<10), maxLine)
	finished, garbage := false, 0
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data:")
		if !ok { // empty, a comment, or another field
			continue
		}
		if data = strings.TrimSpace(data); data == "[DONE]" {
			return short, nil
		}
		var c chunk
		if json.Unmarshal([]byte(data), &c) != nil {
			if garbage++; garbage > maxGarbage {
				return short, &failure{why: "its stream is no JSON"}
			}
			continue
		}
		done, cut, err := s.take(c, yield)
		if err != nil {
			return short, err
		}
		finished, short = finished || done, short || cut
	}
	if finished {
		return short, nil
	}
	return short, &failure{why: "its stream broke off", cause: lines.Err()}
}
