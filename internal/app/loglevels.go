package app

import (
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"

	"github.com/unhidra/unhidra/internal/config"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/obs"
	"github.com/unhidra/unhidra/internal/token"
	"github.com/unhidra/unhidra/internal/wire"
)

// LogLevelsPath is where the operator listener shows the levels of the log by GET, changes those
// of some parts by PATCH, and gives all the level of the settings by DELETE.
const LogLevelsPath = "/log-levels"

const maxLevels = 64 << 10 // bytes of a request

// OperatorToken returns what must be shown as bearer token to change something at the operator
// listener: only who can read the server's key can make it.
func OperatorToken(keys *token.Keyring) string { return hex.EncodeToString(keys.Derive("operator")) }

// logLevels serves LogLevelsPath.
type logLevels struct {
	logs   *obs.Logs
	token  string
	record func(r *http.Request, details map[string]string) error // before something changes
}

func (s *server) logLevels() logLevels {
	return logLevels{s.logs, OperatorToken(s.keys), func(r *http.Request, details map[string]string) error {
		s.Log.InfoContext(r.Context(), "the levels of the log change", "levels", details)
		return s.modules.audit.RecordSync(r.Context(), domain.AuditEvent{
			Type: domain.AuditConfigChange, Actor: domain.AuditActor{Kind: domain.ActorOperator},
			Target: domain.AuditTarget{Kind: "setting", ID: "log_levels"}, Details: details,
		})
	}}
}

func (l logLevels) get(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(l.logs.Levels())
}

func (l logLevels) patch(w http.ResponseWriter, r *http.Request) {
	var levels map[string]string
	body, err := io.ReadAll(io.LimitReader(r.Body, maxLevels))
	if err == nil {
		err = wire.Decode(body, &levels)
	}
	if err == nil {
		err = config.CheckLogLevels(levels)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if l.begin(w, r, levels) {
		l.logs.SetLevels(levels)
		l.get(w, r)
	}
}

func (l logLevels) reset(w http.ResponseWriter, r *http.Request) {
	if l.begin(w, r, map[string]string{"all": "as in the settings"}) {
		l.logs.ResetLevels()
		l.get(w, r)
	}
}

// begin records a change, or answers why it is not made.
func (l logLevels) begin(w http.ResponseWriter, r *http.Request, details map[string]string) bool {
	if subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), []byte("Bearer "+l.token)) == 0 {
		http.Error(w, "only who has the server's key may change this; use unhidra log-level on its machine",
			http.StatusUnauthorized)
		return false
	}
	if err := l.record(r, details); err != nil {
		http.Error(w, "the change cannot be written to the audit log, so it is not made", http.StatusServiceUnavailable)
		return false
	}
	return true
}
