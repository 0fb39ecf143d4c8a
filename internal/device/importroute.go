package device

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
)

// Limits of an import by the API.
const (
	importBytes = 4 << 20
	importLines = 10_000
	importTime  = 5 * time.Minute
)

type importInput struct {
	NewKeys bool   `query:"new_keys" doc:"give those that never connected, or have no good key, another key"`
	Format  string `query:"format" enum:"jsonl,csv" default:"jsonl" doc:"of the answer: a JSON object in each line, or CSV with a line of names"`
	RawBody []byte `contentType:"text/csv" doc:"CSV with a line of column names, or JSON lines: name, serial, type, tags, notes, expires"`
}

// importLine is a line of the answer to an import. Its last members are those of a problem document.
type importLine struct {
	Line   int                 `json:"line,omitempty"`
	Result domain.ImportResult `json:"result"`
	Name   string              `json:"name,omitempty"`
	Serial string              `json:"serial,omitempty"`
	Device string              `json:"device,omitempty"`
	Key    string              `json:"key,omitempty"`
	Kind   string              `json:"kind,omitempty"`
	Code   domain.Code         `json:"code,omitempty"`
	Detail string              `json:"detail,omitempty"`
	Errors []domain.Field      `json:"errors,omitempty"`
}

// aborted is the result of the last line of an answer if the lines after it were not looked at.
const aborted domain.ImportResult = "aborted"

func (s *Service) postImport(ctx context.Context, in *importInput) (*huma.StreamResponse, error) {
	rows, err := readAll(in.RawBody)
	if err != nil {
		return nil, err
	}
	owner := httpx.Principal(ctx).ID
	if ok, wait := s.registrations.Allow(owner, s.Now()); !ok {
		return nil, errRegistrations(wait)
	}
	kind := "application/x-ndjson"
	if in.Format == "csv" {
		kind = "text/csv; charset=utf-8"
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		hc.SetHeader("Content-Type", kind)
		hc.SetHeader("Cache-Control", "no-store") // it has keys in it
		_, w := humago.Unwrap(hc)
		// More lines than an ordinary answer has time for. If the client goes, the next write fails.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), importTime)
		defer cancel()
		if err := s.streamImport(ctx, owner, in, rows, w); err != nil {
			s.Log.WarnContext(ctx, "an import of devices broke off", "err", err)
		}
	}}, nil
}

// readAll reads the body of an import.
func readAll(body []byte) (rows []Row, err error) {
	for row, err := range ReadRows(bytes.NewReader(body)) {
		if err != nil {
			return nil, err
		}
		if rows = append(rows, row); len(rows) > importLines {
			return nil, domain.TooLarge.Errorf(domain.CodeBodyTooLarge, "an import has at most %d lines; split the file",
				importLines)
		}
	}
	if len(rows) == 0 {
		return nil, errFile("the file has no devices in it")
	}
	return rows, nil
}

// streamImport writes what became of each row while the others wait.
func (s *Service) streamImport(
	ctx context.Context, owner string, in *importInput, rows []Row, w http.ResponseWriter,
) error {
	write := func(line importLine) error { return json.NewEncoder(w).Encode(line) }
	if in.Format == "csv" {
		c := CSVWriter(w)
		write = func(l importLine) error { return c(l.record()) }
	}
	rc := http.NewResponseController(w)
	var gone error
	err := s.Import(ctx, owner, Import{NewKeys: in.NewKeys}, sequence(rows), func(d Imported) error {
		gone = errors.Join(write(lineOf(ctx, d)), rc.Flush())
		return gone
	})
	if err != nil && gone == nil {
		last := problemLine(importLine{Result: aborted}, httpx.ProblemOf(ctx, err))
		return errors.Join(err, write(last))
	}
	return err
}

func sequence(rows []Row) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		for _, row := range rows {
			if !yield(row, nil) {
				return
			}
		}
	}
}

func lineOf(ctx context.Context, d Imported) importLine {
	l := importLine{Line: d.Line, Result: d.Result, Name: d.Name, Serial: d.Serial, Device: d.Device, Key: d.Key}
	if d.Err != nil {
		l = problemLine(l, httpx.ProblemOf(ctx, d.Err))
	}
	return l
}

func problemLine(l importLine, p *httpx.Problem) importLine {
	l.Kind, l.Code, l.Detail, l.Errors = p.Kind, p.Code, p.Detail, p.Errors
	return l
}

func (l importLine) record() []string {
	line := ""
	if l.Line > 0 {
		line = strconv.Itoa(l.Line)
	}
	return []string{line, string(l.Result), httpx.Cell(l.Name), httpx.Cell(l.Serial), l.Device, l.Key, l.Detail}
}

// CSVWriter writes what became of the lines of an import as CSV, with a line of names before the first.
func CSVWriter(w io.Writer) func(record []string) error {
	c := csv.NewWriter(w)
	first := true
	return func(record []string) error {
		if first {
			first = false
			_ = c.Write([]string{"line", "result", "name", "serial", "device", "key", "error"}) // Error tells
		}
		_ = c.Write(record)
		c.Flush()
		return c.Error()
	}
}

// Record is the line of CSVWriter for d.
func (d Imported) Record(ctx context.Context) []string { return lineOf(ctx, d).record() }
