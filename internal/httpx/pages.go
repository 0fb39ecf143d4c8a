package httpx

import (
	"bytes"
	_ "embed"
	"html/template"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"

	"github.com/unhidra/unhidra/internal/domain"
)

//go:embed style.css
var style []byte

func serveStyle(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	w.Header().Set("Cache-Control", "max-age=3600")
	_, _ = w.Write(style)
}

// explanations describes each kind of problem and what helps.
func explanations() map[domain.Kind]string {
	return map[domain.Kind]string{
		domain.Internal: "Something went wrong on the server. It is not your fault. The server's log has the cause, " +
			"under the request's id, which the problem names as its instance. Trying again later may help; telling the " +
			"operator will.",
		domain.Invalid: "The request can never succeed as it stands. The list of errors names each bad value by its " +
			"JSON pointer, or by ?name for a query parameter and {name} for one of the path. Change the request and send it " +
			"again.",
		domain.Unauthorized: "The server does not know who is asking. Sign in, or refresh the access token, and send it as " +
			"“Authorization: Bearer …”.",
		domain.Forbidden: "The server knows who is asking, and the answer is no. Trying again does not help; someone " +
			"with more rights in the room or on the server may.",
		domain.NotFound: "There is no such thing, or you may not see it. The server does not say which.",
		domain.Conflict: "What you asked for clashes with how things are: it exists already, or has changed since you " +
			"read it. Read it again, and decide anew.",
		domain.TooLarge: "The request is larger than the server takes. The detail names the limit.",
		domain.RateLimited: "That was too much in too short a time. Wait as many seconds as Retry-After says, " +
			"and then go on.",
		domain.Unavailable: "Something that the server needs is away at the moment: its store is full or busy, or it " +
			"restarts. Try again after Retry-After seconds. What was acknowledged is safe.",
	}
}

func serveProblemPage(w http.ResponseWriter, r *http.Request) {
	kind := domain.Kind(r.PathValue("kind"))
	text, ok := explanations()[kind]
	if !ok {
		Fail(w, r, domain.NotFound.Errorf(domain.CodeNoProblem, "there is no such kind of problem"))
		return
	}
	page(w, problemPage(), map[string]any{
		"Kind": kind, "Status": Status(kind), "Title": http.StatusText(Status(kind)), "Text": text, "Kinds": domain.Kinds(),
	})
}

func page(w http.ResponseWriter, t *template.Template, data any) {
	var b bytes.Buffer
	if err := t.Execute(&b, data); err != nil {
		panic(err)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-cache")
	_, _ = w.Write(b.Bytes())
}

const pageHead = `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{.Title}}</title><link rel="stylesheet" href="/docs/style.css"><main>`

func problemPage() *template.Template {
	return template.Must(template.New("problem").Parse(pageHead + `
<h1>{{.Kind}}</h1><p class="lead">HTTP {{.Status}} {{.Title}}</p><p>{{.Text}}</p>
<p>Other kinds: {{range .Kinds}}<a href="/problems/{{.}}">{{.}}</a> {{end}}</p><p><a href="/docs">All of the API</a></p></main></html>`))
}

// docs serves a page about every operation. It is made from the OpenAPI document at the first
// request, when all operations are registered.
func (a *adapter) docs() http.HandlerFunc {
	model := sync.OnceValue(func() any { return describe(a.describe()) })
	return func(w http.ResponseWriter, _ *http.Request) { page(w, docsPage(), model()) }
}

func docsPage() *template.Template {
	return template.Must(template.New("docs").Parse(pageHead + `
<h1>{{.Title}} <small>{{.Version}}</small></h1><p>{{.Description}}</p>
<p>The same for programs: <a href="/openapi.json">/openapi.json</a> (OpenAPI 3.1). Live events: the WebSocket at <code>/ws</code>.
Problems: {{range .Kinds}}<a href="/problems/{{.}}">{{.}}</a> {{end}}</p>
<nav>{{range .Groups}}<a href="#{{.Name}}">{{.Name}}</a> {{end}}</nav>
{{range .Groups}}<h2 id="{{.Name}}">{{.Name}}</h2>
{{range .Operations}}<details id="{{.ID}}"><summary><b class="{{.Method}}">{{.Method}}</b> <code>{{.Path}}</code> {{.Summary}}{{if .Signed}} <i>signed in</i>{{end}}</summary>
{{with .Description}}<p>{{.}}</p>{{end}}
{{if .Params}}<table><tr><th>parameter</th><th>in</th><th>type</th><th></th></tr>{{range .Params}}<tr><td><code>{{.Name}}</code></td><td>{{.In}}</td><td>{{.Type}}</td><td>{{.Doc}}</td></tr>{{end}}</table>{{end}}
{{range .Bodies}}<h4>{{.Title}}</h4>{{if .Fields}}<table><tr><th>field</th><th>type</th><th></th></tr>{{range .Fields}}<tr><td><code>{{.Name}}</code></td><td>{{.Type}}</td><td>{{.Doc}}</td></tr>{{end}}</table>{{end}}{{end}}
</details>{{end}}{{end}}</main></html>`))
}

type docField struct{ Name, In, Type, Doc string }

type docBody struct {
	Title  string
	Fields []docField
}

type docOperation struct {
	ID, Method, Path, Summary, Description string
	Signed                                 bool
	Params                                 []docField
	Bodies                                 []docBody
}

type docGroup struct {
	Name       string
	Operations []docOperation
}

type docModel struct {
	Title, Version, Description string
	Kinds                       []domain.Kind
	Groups                      []*docGroup
}

func describe(o *huma.OpenAPI) docModel {
	m := docModel{Title: o.Info.Title, Version: o.Info.Version, Description: o.Info.Description, Kinds: domain.Kinds()}
	groups := map[string]*docGroup{}
	for path, item := range o.Paths {
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete} {
			if op == nil {
				continue
			}
			name := groupOf(op, path)
			g := groups[name]
			if g == nil {
				g = &docGroup{Name: name}
				groups[name] = g
				m.Groups = append(m.Groups, g)
			}
			g.Operations = append(g.Operations, describeOperation(o.Components.Schemas, op, path))
		}
	}
	slices.SortFunc(m.Groups, func(a, b *docGroup) int { return strings.Compare(a.Name, b.Name) })
	for _, g := range m.Groups {
		slices.SortFunc(g.Operations, func(a, b docOperation) int {
			return strings.Compare(a.Path+a.Method,
				b.Path+b.Method)
		})
	}
	return m
}

// groupOf returns the operation's tag or, without one, the first word of its path.
func groupOf(op *huma.Operation, path string) string {
	if len(op.Tags) > 0 {
		return op.Tags[0]
	}
	name, _, _ := strings.Cut(strings.TrimPrefix(path, Prefix+"/"), "/")
	return name
}

func describeOperation(schemas huma.Registry, op *huma.Operation, path string) docOperation {
	d := docOperation{ID: op.OperationID, Method: op.Method, Path: path, Summary: op.Summary, Description: op.Description,
		Signed: len(op.Security) > 0}
	for _, p := range op.Parameters {
		d.Params = append(d.Params, docField{Name: p.Name, In: p.In, Type: typeName(p.Schema), Doc: p.Description})
	}
	if op.RequestBody != nil {
		for ct, media := range op.RequestBody.Content {
			d.Bodies = append(d.Bodies, docBody{Title: "Send " + ct, Fields: fields(schemas, media.Schema)})
		}
	}
	for status, res := range op.Responses {
		if status >= "3" {
			continue
		}
		b := docBody{Title: "Answer " + status}
		for _, media := range res.Content {
			b.Title += " " + typeName(media.Schema)
			b.Fields = fields(schemas, media.Schema)
		}
		d.Bodies = append(d.Bodies, b)
	}
	slices.SortFunc(d.Bodies, func(a, b docBody) int { return strings.Compare(b.Title, a.Title) })
	return d
}

func fields(schemas huma.Registry, s *huma.Schema) []docField {
	if s != nil && s.Ref != "" {
		s = schemas.SchemaFromRef(s.Ref)
	}
	if s == nil {
		return nil
	}
	var list []docField
	for name, f := range s.Properties {
		doc := f.Description
		if slices.Contains(s.Required, name) {
			doc = strings.TrimSpace("required. " + doc)
		}
		list = append(list, docField{Name: name, Type: typeName(f), Doc: doc})
	}
	slices.SortFunc(list, func(a, b docField) int { return strings.Compare(a.Name, b.Name) })
	return list
}

func typeName(s *huma.Schema) string {
	switch {
	case s == nil:
		return ""
	case s.Ref != "":
		return s.Ref[strings.LastIndex(s.Ref, "/")+1:]
	case s.Type == "array":
		return "list of " + typeName(s.Items)
	case s.Format != "":
		return s.Type + " (" + s.Format + ")"
	}
	return s.Type
}
