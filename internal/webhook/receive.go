package webhook

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
	"github.com/unhidra/unhidra/internal/webhook/incoming"
)

// Handle adds what other programs post to, to mux.
func (s *Service) Handle(mux *http.ServeMux) {
	mux.HandleFunc("POST "+httpx.HookPath+"{secret}", s.receive)
	mux.HandleFunc("POST "+httpx.HookAnswerPath+"{secret}", s.answered)
	mux.HandleFunc(httpx.HookPath+"{secret}", s.asked)
	mux.HandleFunc(httpx.HookAnswerPath+"{secret}", s.asked)
}

// asked refuses what posts nothing. A POST becomes a GET where a proxy redirects it by 301 or 302, and its sender would
// take a page of the web client for an acceptance.
func (s *Service) asked(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Allow", http.MethodPost)
	say(w, http.StatusMethodNotAllowed, "invalid_method: post to this address; if you do, a proxy in between redirects "+
		"you, and you should post to where it sends you")
	s.received.WithLabelValues(resultRefused).Inc()
}

// receive answers a request to a webhook as Slack does: 200 and "ok" when the message is committed, or else a status
// and a line that says what is wrong.
func (s *Service) receive(w http.ResponseWriter, r *http.Request) {
	h, err := s.find(r)
	if err == nil {
		err = s.post(w, r, h)
	}
	result, failure := s.tell(w, r, err)
	if h.ID != "" && (result == resultAccepted || result == resultRefused || result == resultRateLimited) {
		s.note(context.WithoutCancel(r.Context()), h, failure)
	}
}

// answered takes a later answer to a slash command, as receive takes messages.
func (s *Service) answered(w http.ResponseWriter, r *http.Request) {
	s.tell(w, r, s.reply(w, r))
}

// reply tells what a request says to whoever wrote the command that it answers, or to the room.
func (s *Service) reply(w http.ResponseWriter, r *http.Request) error {
	err := s.Commands.Reply(r.Context(), r.PathValue("secret"), func() (domain.SlashReply, error) {
		body, err := read(w, r, domain.MaxSlashReply)
		if err != nil {
			return domain.SlashReply{}, err
		}
		return parse(s, r, func() (domain.SlashReply, error) {
			return incoming.ParseLater(r.Header.Get("Content-Type"), body)
		})
	})
	return s.stranger(r.Context(), err)
}

// tell answers a request, and returns the result for the metrics and what was wrong.
func (s *Service) tell(w http.ResponseWriter, r *http.Request, err error) (result, failure string) {
	result = resultAccepted
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	if err == nil {
		_, _ = io.WriteString(w, "ok") // not a byte more: Alertmanager and Grafana look for it
	} else {
		result, failure = s.refuse(w, r, err)
	}
	s.received.WithLabelValues(result).Inc()
	return result, failure
}

// find returns the webhook that a request is for, also beside an error of its limit. Whoever knows none may not try
// often; those who do know one are not held back by others at their address.
func (s *Service) find(r *http.Request) (domain.Hook, error) {
	h, err := s.Store.HookByHash(r.Context(), s.Hash(r.PathValue("secret")))
	if err != nil {
		return domain.Hook{}, s.stranger(r.Context(), err)
	}
	if ok, wait := s.posts.Allow(h.ID, s.Now()); !ok {
		return h, domain.RateLimited.Errorf(domain.CodeTooManyAttempts,
			"a webhook takes one message a second, and %d at once; send less often", postsAtOnce).After(wait)
	}
	return h, nil
}

// stranger returns err, or, if that says that there is no such webhook and one address has heard it too often, that.
func (s *Service) stranger(ctx context.Context, err error) error {
	if domain.CodeOf(err) != domain.CodeNoHook {
		return err
	}
	if ok, wait := s.strangers.AllowAddr(httpx.ClientAddr(ctx), s.Now()); !ok {
		return domain.RateLimited.Errorf(domain.CodeTooManyAttempts,
			"there is no such webhook, and your address tries too many that do not exist; stop those").After(wait)
	}
	return err
}

// post writes what a request says into the room of h.
func (s *Service) post(w http.ResponseWriter, r *http.Request, h domain.Hook) error {
	body, err := read(w, r, maxBody)
	if err != nil {
		return err
	}
	p, err := parse(s, r, func() (incoming.Post, error) { return incoming.Parse(r.Header, body) })
	if err != nil {
		return err
	}
	face, err := s.face(r.Context(), h, p)
	if err != nil {
		return err
	}
	_, err = s.Chat.Send(r.Context(),
		domain.Principal{ID: h.ID, Kind: domain.KindBot, Role: domain.SystemUser, Owner: h.CreatedBy.ID},
		domain.Draft{Room: h.Room, Key: keyOf(p.Key), Text: p.Text, Face: face})
	return err
}

// read returns the body of r, of at most most bytes.
func read(w http.ResponseWriter, r *http.Request, most int64) ([]byte, error) {
	if packed := r.Header.Get("Content-Encoding"); packed != "" && packed != "identity" {
		return nil, domain.Invalid.Errorf(domain.CodeInvalidRequest,
			"the body is packed (Content-Encoding), and is not unpacked here; send it as it is")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, most))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, domain.TooLarge.Errorf(domain.CodeBodyTooLarge, "the body may have at most %d bytes", most)
	case err != nil:
		return nil, domain.Invalid.Errorf(domain.CodeInvalidRequest, "the body did not arrive in time").Because(err)
	}
	return body, nil
}

// parse calls do, which parses the body of r. Few are parsed at once: a body takes up to a hundred times its size in
// memory while it is.
func parse[T any](s *Service, r *http.Request, do func() (T, error)) (parsed T, err error) {
	select {
	case s.parsing <- struct{}{}:
		defer func() { <-s.parsing }()
		return do()
	case <-r.Context().Done():
		return parsed, domain.Unavailable.Errorf(domain.CodeBusy,
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
	if result == resultRateLimited && strings.HasPrefix(r.UserAgent(), "Alertmanager/") {
		status = http.StatusServiceUnavailable // at 429 its webhooks give an alert up, at 503 they try again
	}
	failure = word + ": " + detail
	say(w, status, failure)
	return result, failure
}

// say answers with a line, whose length it tells: who still sends a body has all of the answer when it comes.
func say(w http.ResponseWriter, status int, line string) {
	w.Header().Set("Content-Length", strconv.Itoa(len(line)+1))
	w.WriteHeader(status)
	_, _ = io.WriteString(w, line+"\n")
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
