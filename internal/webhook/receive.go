package webhook

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
	"github.com/unhidra/unhidra/internal/webhook/incoming"
)

// Handle adds what other programs post to, to mux.
func (s *Service) Handle(mux *http.ServeMux) {
	mux.HandleFunc("POST "+httpx.HookPath+"{secret}", s.receive)
}

// receive answers a request to a webhook as Slack does: 200 and "ok" when the message is committed, or else a status
// and a line that says what is wrong.
func (s *Service) receive(w http.ResponseWriter, r *http.Request) {
	h, err := s.find(r)
	if err == nil {
		err = s.post(w, r, h)
	}
	result, failure := resultAccepted, ""
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	if err == nil {
		_, _ = io.WriteString(w, "ok") // not a byte more: Alertmanager and Grafana look for it
	} else {
		result, failure = s.refuse(w, r, err)
	}
	s.received.WithLabelValues(result).Inc()
	if h.ID != "" && (result == resultAccepted || result == resultRefused) {
		s.note(context.WithoutCancel(r.Context()), h, failure)
	}
}

// find returns the webhook that a request is for. Whoever knows none may not try often; those who do know one are not
// held back by others at their address.
func (s *Service) find(r *http.Request) (domain.Hook, error) {
	now := s.Now()
	h, err := s.Store.HookByHash(r.Context(), s.Hash(r.PathValue("secret")))
	if domain.CodeOf(err) == domain.CodeNoHook {
		if ok, wait := s.strangers.AllowAddr(httpx.ClientAddr(r.Context()), now); !ok {
			return domain.Hook{}, domain.RateLimited.Errorf(domain.CodeTooManyAttempts,
				"there is no such webhook, and your address tries too many that do not exist; stop those").After(wait)
		}
	}
	if err != nil {
		return domain.Hook{}, err
	}
	if ok, wait := s.posts.Allow(h.ID, now); !ok {
		return domain.Hook{}, domain.RateLimited.Errorf(domain.CodeTooManyAttempts,
			"a webhook takes one message a second, and ten at once; send less often").After(wait)
	}
	return h, nil
}

// post writes what a request says into the room of h.
func (s *Service) post(w http.ResponseWriter, r *http.Request, h domain.Hook) error {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return domain.TooLarge.Errorf(domain.CodeBodyTooLarge, "the body may have at most %d bytes", maxBody)
	case err != nil:
		return domain.Invalid.Errorf(domain.CodeInvalidRequest, "the body did not arrive in time").Because(err)
	}
	p, err := s.parse(r, body)
	if err != nil {
		return err
	}
	_, err = s.Chat.Send(r.Context(),
		domain.Principal{ID: h.ID, Kind: domain.KindBot, Role: domain.SystemUser, Owner: h.CreatedBy.ID},
		domain.Draft{Room: h.Room, Key: keyOf(p.Key), Text: p.Text})
	return err
}

// parse makes a message of the body of r. Few are parsed at once: a body takes up to a hundred times its size in
// memory while it is.
func (s *Service) parse(r *http.Request, body []byte) (incoming.Post, error) {
	select {
	case s.parsing <- struct{}{}:
		defer func() { <-s.parsing }()
		return incoming.Parse(r.Header, body)
	case <-r.Context().Done():
		return incoming.Post{}, domain.Unavailable.Errorf(domain.CodeBusy,
			"too many messages of webhooks at once; try again").Because(r.Context().Err())
	}
}

// keyOf returns the idempotency key of a delivery. A delivery without a name is a message of its own.
func keyOf(delivery string) string {
	if delivery == "" {
		return domain.NewID(domain.HookPrefix)
	}
	sum := sha256.Sum256([]byte(delivery))
	return domain.HookPrefix + ":" + base64.RawURLEncoding.EncodeToString(sum[:])
}

// refuse answers that a request was refused, and returns the result for the metrics and what was wrong.
func (s *Service) refuse(w http.ResponseWriter, r *http.Request, err error) (result, failure string) {
	word, result := "", resultRefused
	var refused incoming.Refused
	status, detail := http.StatusBadRequest, ""
	if errors.As(err, &refused) {
		word, detail = refused.Code, refused.Detail
	} else {
		p := httpx.ProblemOf(r.Context(), err)
		for name, values := range p.GetHeaders() {
			w.Header()[name] = values
		}
		status, detail = p.Status, p.Detail
		word, status, result = slackWord(domain.CodeOf(err), domain.KindOf(err), status)
	}
	failure = word + ": " + detail
	w.WriteHeader(status)
	_, _ = io.WriteString(w, failure+"\n")
	return result, failure
}

// slackWord returns what Slack calls a failure, and the status that it sends.
func slackWord(code domain.Code, kind domain.Kind, status int) (word string, as int, result string) {
	switch {
	case code == domain.CodeNoHook || code == domain.CodeNoRoom:
		return "no_service", http.StatusNotFound, resultUnknown
	case code == domain.CodeRoomArchived:
		return "channel_is_archived", http.StatusGone, resultRefused
	case kind == domain.Forbidden:
		return "action_prohibited", http.StatusForbidden, resultRefused
	case kind == domain.RateLimited:
		return "rate_limited", status, resultRateLimited
	case kind == domain.Invalid || kind == domain.TooLarge:
		return "invalid_payload", status, resultRefused
	case kind == domain.Unavailable:
		return "service_unavailable", status, resultFailed
	case kind == domain.Internal:
		return "server_error", status, resultFailed
	}
	return string(code), status, resultRefused
}

// note stores when a webhook last posted and what was last wrong, at most once a minute.
func (s *Service) note(ctx context.Context, h domain.Hook, failure string) {
	now, before := s.Now(), h.UsedAt
	if failure != "" {
		if len(failure) > domain.MaxFailure {
			failure = strings.ToValidUTF8(failure[:domain.MaxFailure], "")
		}
		if before = h.FailedAt; failure != h.Failure {
			before = time.Time{}
		}
	}
	if now.Sub(before) < noteEvery {
		return
	}
	if err := s.Store.NoteHook(ctx, h.ID, failure, now); err != nil {
		s.Log.DebugContext(ctx, "note what a webhook did", "hook", h.ID, "err", err)
	}
}
