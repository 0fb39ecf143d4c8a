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
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// patience is how long expressions may take to have a series: a server, its load
// and a Prometheus start on a machine that has other work as well.
var patience = time.Now().Add(4 * time.Minute)

// series waits until an expression has series, for as long as there is patience.
func series(base, expr string) error {
	for {
		n, err := query(base, expr)
		if err != nil || n > 0 {
			return err
		}
		if time.Now().After(patience) {
			return fmt.Errorf("no data: %s", expr)
		}
		time.Sleep(time.Second)
	}
}

// query asks a Prometheus how many series an expression has.
func query(base, expr string) (int, error) {
	res, err := http.Get(base + "/api/v1/query?query=" + url.QueryEscape(expr)) // a command of a few seconds
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
		return 0, fmt.Errorf("%s: %s", answer.Error, expr)
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
				if err := series(base, expr); err != nil {
					errs = append(errs, fmt.Errorf("%s: panel %q: %w", filepath.Base(file), p.Title, err))
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

// quiet turns an alert's expression into one that has series while all is well:
// comparisons give 0 or 1 in place of choosing, and the past is the present.
func quiet(expr string) string {
	selector := regexp.MustCompile(`\{[^}]*\}`)
	kept := selector.FindAllString(expr, -1)
	expr = selector.ReplaceAllString(expr, "{}")
	expr = regexp.MustCompile(` (>=|<=|==|!=|>|<) `).ReplaceAllString(expr, " $1 bool ")
	expr = regexp.MustCompile(` offset \w+`).ReplaceAllString(expr, "")
	expr = strings.ReplaceAll(expr, "absent(", "count(")
	for _, k := range kept {
		expr = strings.Replace(expr, "{}", k, 1)
	}
	return expr
}

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
			expr := r.Expr
			if r.Alert != "" {
				// As it is written, it parses and may be quiet.
				if _, err := query(base, expr); err != nil {
					errs = append(errs, fmt.Errorf("%s: %w", r.Alert, err))
				}
				expr = quiet(expr)
			}
			if err := series(base, expr); err != nil {
				errs = append(errs, fmt.Errorf("%s%s: %w", r.Record, r.Alert, err))
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
		if !strings.HasSuffix(r.Annotations["runbook_url"], "/"+page) || r.Annotations["summary"] == "" ||
			r.Annotations["description"] == "" {
			errs = append(errs, fmt.Errorf("%s: its annotations are not complete", r.Alert))
		}
	}
	return errors.Join(errs...)
}
