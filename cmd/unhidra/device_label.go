package main

import (
	"context"
	"fmt"
	"html/template"
	"path/filepath"
	"slices"
	"strings"

	"github.com/unhidra/unhidra/internal/provision"
	"github.com/unhidra/unhidra/internal/totp"
)

const labelText = `device label [flags] <name>...

Makes the labels of devices: for each name, which the device shows while it waits to be
set up, a proof of possession at random. The standard output has the texts for the QR
codes, a line each, and --sheet is a page with these codes, to be printed by a browser:
keep both as you keep keys. Each device gets the file NAME.csv of --out into its memory,
with "nvs_partition_gen": it has no proof with Security 2, only what checks it.
`

func labelDevices(_ context.Context, e *env, args []string) error {
	fs := e.flags("device label", labelText)
	out := fs.String("out", ".", "`folder` for the files of the devices, which are not replaced")
	sheet := fs.String("sheet", "", "a new `file` of HTML with all labels, to be printed")
	transport := fs.String("transport", "softap", "softap or ble")
	security := fs.Int("security", 2, "1, for firmware that knows no better, or 2")
	names, err := interspersed(fs, args)
	if err != nil {
		return err
	}
	if len(names) == 0 {
		return usagef("name the devices, such as PROV_A1B2C3")
	}
	labels := make([]provision.Label, len(names))
	for i, name := range names {
		if slices.Contains(names[:i], name) {
			return usagef("%s is named twice: each device has a label of its own", name)
		}
		if labels[i], err = provision.NewLabel(name, *transport, *security); err != nil {
			return usagef("%v", err)
		}
	}
	if *sheet != "" {
		page, err := sheetOf(labels)
		if err == nil {
			err = writeNew(*sheet, page, 0o600)
		}
		if err != nil {
			return err
		}
	}
	for _, l := range labels {
		if err := writeNew(filepath.Join(*out, l.Name+".csv"), []byte(l.Secrets()), 0o600); err != nil {
			return err
		}
		fmt.Fprintln(e.stdout, l.Payload())
	}
	return nil
}

// sheetText is printed on A4 or Letter, in three columns; no label is cut by the end of a page. It loads nothing.
const sheetText = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Labels</title>
<style>
@page { margin: 10mm }
body { margin: 0; font: 9pt/1.3 system-ui, sans-serif; color: #000; background: #fff }
main { display: grid; grid-template-columns: repeat(3, 1fr); gap: 4mm }
figure { margin: 0; padding: 3mm; border: .2mm dashed #888; text-align: center; break-inside: avoid }
svg { width: 42mm; height: 42mm; shape-rendering: crispEdges }
figcaption { overflow-wrap: anywhere }
code { font: 10pt/1.4 ui-monospace, monospace; letter-spacing: .05em }
p { margin: 10mm }
@media print { p { display: none } }
</style>
<p>Print this page. Whoever has a label can set its device up: keep this file as you keep keys.</p>
<main>
{{- range .}}
<figure>
<svg viewBox="0 0 {{.Picture.Size}} {{.Picture.Size}}" role="img" aria-label="QR code of {{.Name}}">
<path d="{{.Picture.Path}}"/></svg>
<figcaption>{{.Name}}<br><code>{{.Proof}}</code></figcaption>
</figure>
{{- end}}
</main>
</html>
`

// sheetOf is a page with labels, and what they say for those who type it.
func sheetOf(labels []provision.Label) ([]byte, error) {
	type printed struct {
		provision.Label
		Picture totp.Picture
	}
	all := make([]printed, len(labels))
	for i, l := range labels {
		picture, err := totp.Draw(l.Payload())
		if err != nil {
			return nil, fmt.Errorf("%s: %w", l.Name, err)
		}
		all[i] = printed{l, picture}
	}
	page, err := template.New("sheet").Parse(sheetText)
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	err = page.Execute(&b, all)
	return []byte(b.String()), err
}
