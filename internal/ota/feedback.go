package ota

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"unicode"

	"github.com/unhidra/unhidra/internal/domain"
)

func asError[E error](err error) (e E, ok bool) {
	ok = errors.As(err, &e)
	return e, ok
}

// feedback is what a client says of an action.
type feedback struct {
	Status struct {
		Execution string `json:"execution"`
		Result    struct {
			Finished string `json:"finished"`
		} `json:"result"`
		Details json.RawMessage `json:"details"`
	} `json:"status"`
}

// step is what a feedback means; ok is false if that is not known.
func (f feedback) step() (step domain.FirmwareStep, ok bool) {
	switch f.Status.Execution {
	case "closed":
		if f.Status.Result.Finished == "failure" {
			return domain.FirmwareFailed, true
		}
		return domain.FirmwareInstalling, true // whether it has succeeded says what it runs
	case "canceled":
		return domain.FirmwareFailed, true
	case "rejected":
		return domain.FirmwareDeferred, true // to hawkBit this is no end
	case "proceeding", "scheduled", "resumed", "download", "downloaded":
		return domain.FirmwareAccepted, true
	}
	return "", false
}

// reason is the last detail that a client gives, after the name of what has happened.
func (f feedback) reason() string {
	var many []string
	var one string
	_ = json.Unmarshal(f.Status.Details, &many) // one text, or nothing, is good as well
	_ = json.Unmarshal(f.Status.Details, &one)
	if len(many) > 0 {
		one = many[len(many)-1]
	}
	return reason(f.Status.Execution, one)
}

// reason is the name of what has happened, and words about it, in one line without what a reason may not have.
func reason(name, words string) string {
	text := strings.Join(strings.Fields(strings.ToValidUTF8(name+": "+words, "")), " ")
	letters := []rune(strings.Map(func(c rune) rune {
		if unicode.IsControl(c) || unicode.Is(unicode.Bidi_Control, c) {
			return -1
		}
		return c
	}, text))
	return strings.TrimSuffix(string(letters[:min(len(letters), domain.MaxFirmwareReason)]), ":")
}

func (s *Service) feedback(q ddiRequest) error {
	var f feedback
	if err := q.read(&f); err != nil {
		return err
	}
	step, ok := f.step()
	if !ok {
		return domain.InvalidField("/status/execution", "this is closed, proceeding, canceled, scheduled, rejected, "+
			"resumed, download or downloaded")
	}
	u, err := s.meant(q)
	if err != nil {
		return err
	}
	if !u.State.Active() {
		q.w.WriteHeader(http.StatusGone) // as hawkBit answers about an action that is closed
		return nil
	}
	p := domain.FirmwareProgress{Update: u.ID, State: step, Offset: u.Offset, Size: u.Size}
	if step == domain.FirmwareFailed || step == domain.FirmwareDeferred {
		p.Reason = f.reason()
	}
	if _, err = s.Updates.Progress(q.r.Context(), q.Principal, p); err != nil {
		return err
	}
	return q.reply(map[string]any{})
}

// meant returns the update of the device that a request names by the number of its action.
func (s *Service) meant(q ddiRequest) (domain.Update, error) {
	had, err := s.Fleet.DeviceUpdates(q.r.Context(), q.Device, updatesMost)
	if err != nil {
		return domain.Update{}, err
	}
	for _, u := range had {
		if u.Protocol == domain.DDIProtocol && action(u) == q.r.PathValue("action") {
			return u, nil
		}
	}
	return domain.Update{}, errNoAction()
}

const updatesMost = 50 // of a device, the newest

func (s *Service) cancelFeedback(q ddiRequest) error {
	var f feedback
	if err := q.read(&f); err != nil {
		return err
	}
	u, err := s.meant(q)
	if err != nil {
		return err
	}
	switch {
	case f.Status.Execution == "proceeding" || f.Status.Execution == "scheduled" || f.Status.Execution == "resumed":
	case u.State.Active():
		return domain.Conflict.Errorf(domain.CodeRolloutState, "this action is not canceled")
	default: // done, or refused: it is told no more of it
		if err := s.Store.SetCanceled(q.r.Context(), q.Device, action(u)); err != nil {
			return err
		}
	}
	return q.reply(map[string]any{})
}

func (s *Service) configData(q ddiRequest) error {
	var in struct {
		Mode string         `json:"mode"`
		Data map[string]any `json:"data"`
	}
	if err := q.read(&in); err != nil {
		return err
	}
	attributes := map[string]string{}
	if in.Mode != "replace" {
		maps.Copy(attributes, q.Attributes)
	}
	for key, value := range in.Data {
		text := fmt.Sprint(value)
		switch {
		case in.Mode == "remove":
			delete(attributes, key)
			continue
		case key == "" || len(key) > maxSaidKey || len(text) > maxSaidVal:
			return domain.InvalidField("/data", "a key has 1 to %d bytes, a value at most %d", maxSaidKey, maxSaidVal)
		}
		attributes[key] = text
	}
	switch {
	case in.Mode != "" && in.Mode != "merge" && in.Mode != "replace" && in.Mode != "remove":
		return domain.InvalidField("/mode", "this is merge, replace or remove")
	case len(attributes) > maxSaid:
		return domain.InvalidField("/data", "a device says at most %d things of itself", maxSaid)
	}
	if err := s.Store.SetAttributes(q.r.Context(), q.Device, attributes); err != nil {
		return err
	}
	q.Attributes = attributes
	if _, err := s.current(q.r.Context(), q.caller); err != nil { // what it runs decides about its update
		return err
	}
	return q.reply(map[string]any{})
}
