package app_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"testing"

	"github.com/unhidra/unhidra/internal/captcha"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/live"
	"github.com/unhidra/unhidra/internal/testkit/node"
)

// post sends body to the API and decodes the answer.
func post(t *testing.T, s *live.Server, path string, body map[string]string, into any) int {
	t.Helper()
	b, err := json.Marshal(body)
	must(t, err)
	req, err := http.NewRequestWithContext(t.Context(), "POST", s.URL+"/api/v1"+path, bytes.NewReader(b))
	must(t, err)
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	must(t, err)
	defer res.Body.Close()
	if into != nil {
		must(t, json.NewDecoder(res.Body).Decode(into))
	}
	return res.StatusCode
}

// solver starts the program that solves challenges, and returns what asks it.
func solver(t *testing.T) func(captcha.Challenge) string {
	cmd := exec.CommandContext(t.Context(), node.Program(t, "e2e/solver"))
	in, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait() // it may have been killed: the context ends before
	})
	ask, answers := json.NewEncoder(in), bufio.NewReader(out)
	return func(c captcha.Challenge) string {
		must(t, ask.Encode(c))
		line, err := answers.ReadString('\n')
		must(t, err)
		return strings.TrimSpace(line)
	}
}

// Thirty people behind one address join in an evening, with the limits and the CAPTCHA
// that a server has by default, as the web client does it: the form is sent without a
// CAPTCHA first.
func TestAFamilyRegistersWithTheDefaults(t *testing.T) {
	t.Parallel()
	s := live.Start(t, testkit.SQLite(t), "UNHIDRA_CAPTCHA=", "RATE_LIMIT_REGISTER_PER_HOUR=",
		"RATE_LIMIT_LOGIN_PER_MINUTE=",
		"RATE_LIMIT_LOGIN_BURST=", "RATE_LIMIT_IP_PER_MINUTE=", "RATE_LIMIT_USER_PER_MINUTE=",
		"UNHIDRA_CONNECTIONS_PER_ADDR=")
	solve := solver(t)
	for i := range 30 {
		form := map[string]string{"username": fmt.Sprintf("person%d", i), "password": live.Password}
		var problem struct{ Code domain.Code }
		if status := post(t, s, "/auth/register", form, &problem); status != http.StatusForbidden ||
			problem.Code != domain.CodeCaptchaRequired {
			t.Fatalf("person %d, without a CAPTCHA: %d %+v", i, status, problem)
		}
		res := s.Get("/api/v1/auth/captcha?action=register")
		var asked struct{ Challenge captcha.Challenge }
		must(t, json.NewDecoder(res.Body).Decode(&asked))
		must(t, res.Body.Close())
		form["captcha"] = solve(asked.Challenge)
		if status := post(t, s, "/auth/register", form, &problem); status != http.StatusCreated {
			t.Fatalf("person %d: %d %+v", i, status, problem)
		}
	}
}
