package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/unhidra/unhidra/internal/app"
	"github.com/unhidra/unhidra/internal/config"
)

const logLevelText = `log-level [flags] [part=level ...]

Shows the log levels of the server that runs on this machine, or changes them
until it stops. Without arguments it lists the parts of the server and their
levels. It finds the server by the same settings as serve, and the server records
each change in the audit log.

  log-level                             list the levels
  log-level gateway=debug store=warn    change the levels of two parts
  log-level all=warn                    change the level of every part
  log-level reset                       return to the levels of the settings
`

func logLevel(ctx context.Context, e *env, args []string) error {
	fs := e.flags("log-level", logLevelText)
	flags := config.NewFlags(fs, "operator-addr", "data-dir")
	words, err := interspersed(fs, args)
	if err != nil {
		return err
	}
	c, err := e.load(flags)
	if err != nil {
		return err
	}
	method, levels := http.MethodGet, map[string]string(nil)
	switch {
	case len(words) == 1 && words[0] == "reset":
		method = http.MethodDelete
	case len(words) > 0:
		method = http.MethodPatch
		if levels, err = config.ParseLogLevels(strings.Join(words, " ")); err != nil {
			return usagef("%v", err)
		}
	}
	if levels, err = askLogLevels(ctx, c, method, levels); err != nil {
		return err
	}
	w := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)
	for _, part := range slices.Sorted(maps.Keys(levels)) {
		fmt.Fprintf(w, "%s\t%s\n", part, levels[part])
	}
	return w.Flush()
}

// askLogLevels asks the server on this machine, and returns the levels that its log has now.
func askLogLevels(
	ctx context.Context, c config.Config, method string, change map[string]string,
) (map[string]string, error) {
	answer, err := askOperator(ctx, c, method, app.LogLevelsPath, change)
	if err != nil {
		return nil, err
	}
	var levels map[string]string
	return levels, json.Unmarshal(answer, &levels)
}

// askOperator sends a request to the operator's listener of the server on this machine, with the server's key if it
// changes something.
func askOperator(ctx context.Context, c config.Config, method, path string, change any) ([]byte, error) {
	if c.OperatorAddr == "" {
		return nil, errors.New("the server has no operator listener to ask; set UNHIDRA_OPERATOR_ADDR")
	}
	host, port, err := local(c.OperatorAddr)
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(change)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	url := "http://" + net.JoinHostPort(host, port) + path
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if method != http.MethodGet {
		keys, err := keyring(c)
		if err != nil {
			return nil, err
		}
		req.Header.Set("Authorization", "Bearer "+app.OperatorToken(keys))
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("no server answers on %s: %w", c.OperatorAddr, err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the server refuses: %s", refusal(answer))
	}
	return answer, nil
}

// refusal is why the server's operator listener refuses something: a text, alone or as the "error" of an object.
func refusal(answer []byte) string {
	var object struct {
		Error string `json:"error"`
	}
	if json.Unmarshal(answer, &object) == nil && object.Error != "" {
		return object.Error
	}
	return strings.TrimSpace(string(answer))
}
