package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// query asks a Prometheus how many series an expression has.
func query(base, expr string) (int, error) {
	res, err := http.Get(base + "/api/v1/query?query=" + url.QueryEscape(expr)) //nolint:noctx // a command of a few seconds
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	var answer struct {
		Status, Error string
		Data          struct{ Result []json.RawMessage }
	}
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		return 0, err
	}
	if answer.Status != "success" {
		return 0, errors.New(answer.Error)
	}
	return len(answer.Data.Result), nil
}

func dashboards(base, dir string) error {
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil || len(files) == 0 {
		return fmt.Errorf("no dashboards in %s", dir)
	}
	var errs []error
	uids, n := map[string]bool{}, 0
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		var d struct {
			UID, Title string
			Panels     []struct {
				Title   string
				ID      int
				GridPos struct{ X, Y, W, H int }
				Targets []struct{ Expr, LegendFormat string }
			}
		}
		if err := json.Unmarshal(b, &d); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		if d.UID == "" || uids[d.UID] || d.Title == "" || len(d.Panels) == 0 {
			errs = append(errs, fmt.Errorf("%s: needs a title, panels and a uid of its own", file))
		}
		uids[d.UID] = true
		ids := map[int]bool{}
		for _, p := range d.Panels {
			if ids[p.ID] || p.Title == "" || p.GridPos.W == 0 || p.GridPos.X+p.GridPos.W > 24 || len(p.Targets) == 0 {
				errs = append(errs, fmt.Errorf("%s: panel %q is malformed", file, p.Title))
			}
			ids[p.ID] = true
			for _, t := range p.Targets {
				expr := strings.NewReplacer("$__rate_interval", "1m", "$__interval", "15s", "$instance", ".*").Replace(t.Expr)
				n++
				if got, err := query(base, expr); err != nil || got == 0 {
					errs = append(errs, fmt.Errorf("%s: panel %q has no data: %s: %v", filepath.Base(file), p.Title, expr, err))
				}
			}
		}
	}
	fmt.Printf("dashboards: %d expressions on %d dashboards\n", n, len(files))
	return errors.Join(errs...)
}

type rule struct {
	Record, Alert, Expr string
	Annotations         map[string]string
}

func load(file string) ([]rule, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var f struct{ Groups []struct{ Rules []rule } }
	if err := yaml.Unmarshal(b, &f); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	var all []rule
	for _, g := range f.Groups {
		all = append(all, g.Rules...)
	}
	return all, nil
}

// metric finds the names of metrics in an expression: words before a selector, a
// range, a comparison or an end, that are no function.
var metric = regexp.MustCompile(`[a-z_][a-z0-9_:]*_[a-z0-9_:]+`)

// labels and functions that look like metrics.
var others = []string{"histogram_quantile", "predict_linear", "avg_over_time", "clamp_min", "max_over_time"}

// off are metrics of what a server under test does not have switched on.
var off = []string{"mail_waiting"}

func rules(base string, files []string) error {
	var errs []error
	n := 0
	for _, file := range files {
		all, err := load(file)
		if err != nil {
			return err
		}
		for _, r := range all {
			n++
			got, err := query(base, r.Expr)
			if err != nil || r.Record != "" && got == 0 {
				errs = append(errs, fmt.Errorf("%s%s has no data: %s: %v", r.Record, r.Alert, r.Expr, err))
			}
			bare := regexp.MustCompile(`"[^"]*"|by \([^)]*\)|\{[^}]*\}`).ReplaceAllString(r.Expr, "")
			for _, m := range metric.FindAllString(bare, -1) {
				if slices.Contains(others, m) || slices.Contains(off, m) {
					continue
				}
				if got, err := query(base, m); err != nil || got == 0 {
					errs = append(errs, fmt.Errorf("%s%s names %s, which is not there: %v", r.Record, r.Alert, m, err))
				}
			}
		}
	}
	fmt.Printf("rules: %d\n", n)
	return errors.Join(errs...)
}

func runbooks(file, dir string) error {
	all, err := load(file)
	if err != nil {
		return err
	}
	var errs []error
	for _, r := range all {
		page := strings.ToLower(r.Alert) + ".md"
		b, err := os.ReadFile(filepath.Join(dir, page))
		if err != nil || !strings.HasPrefix(string(b), "# "+r.Alert+"\n") || !strings.Contains(string(b), "## What to do") {
			errs = append(errs, fmt.Errorf("%s has no page %s: %v", r.Alert, page, err))
		}
		if !strings.HasSuffix(r.Annotations["runbook_url"], "/"+page) || r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
			errs = append(errs, fmt.Errorf("%s: its annotations are not complete", r.Alert))
		}
	}
	return errors.Join(errs...)
}
