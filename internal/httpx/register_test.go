package httpx

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

type everything struct {
	Room  string    `path:"room"`
	Count int       `query:"count" default:"7"`
	Large int64     `query:"large"`
	Quick bool      `query:"quick"`
	Names []string  `query:"names"`
	Since time.Time `query:"since"`
	Body  struct {
		Kind string `json:"kind,omitempty" enum:"image,raw" default:"image"`
		Days int    `json:"days,omitempty" minimum:"1" default:"30"`
	}
}

type everyAnswer struct {
	Status    int
	Tag       string        `header:"ETag"`
	None      string        `header:"X-None"`
	SetCookie []http.Cookie `header:"Set-Cookie"`
	Body      *everything
}

// register1 serves one operation.
func register1[I, O any](t *testing.T, op huma.Operation, h func(context.Context, *I) (*O, error)) *http.ServeMux {
	t.Helper()
	mux := http.NewServeMux()
	Register(New(mux, Options{}), op, h)
	return mux
}

// An operation gets each parameter in its type, presets where the request says nothing, and answers with its own status
// and headers.
func TestRegisterReadsAndWritesEveryType(t *testing.T) {
	t.Parallel()
	var got everything
	mux := register1(t, huma.Operation{OperationID: "all", Method: http.MethodPost, Path: "/rooms/{room}"},
		func(_ context.Context, in *everything) (*everyAnswer, error) {
			got = *in
			return &everyAnswer{Status: http.StatusAccepted, Tag: `"1"`, Body: in,
				SetCookie: []http.Cookie{{Name: "a", Value: "1"}, {Name: "b", Value: "2"}}}, nil
		})
	r := httptest.NewRequest(http.MethodPost,
		"/api/v1/rooms/hall?large=9000000000&quick=true&names=ann,bob&since=2026-01-02T03:04:05Z",
		strings.NewReader(`{"days":2}`))
	r.Header.Set("Content-Type", "application/json; charset=utf-8")
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, r)
	if w.Code != http.StatusAccepted || w.Header().Get("ETag") != `"1"` || len(w.Header()["X-None"]) != 0 ||
		!slices.Equal(w.Header()["Set-Cookie"], []string{"a=1", "b=2"}) {
		t.Errorf("got %d %v %s", w.Code, w.Header(), w.Body)
	}
	if got.Room != "hall" || got.Count != 7 || got.Large != 9e9 || !got.Quick ||
		!slices.Equal(got.Names, []string{"ann", "bob"}) || !got.Since.Equal(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)) || got.Body.Kind != "image" || got.Body.Days != 2 {
		t.Errorf("got %+v", got)
	}
}

// What an operation would silently not get is refused when the server starts.
func TestRegisterRefusesWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	op := huma.Operation{OperationID: "x", Method: http.MethodPost, Path: "/x"}
	for name, do := range map[string]func(){
		"header": func() {
			register1(t, op, func(context.Context, *struct {
				A string `header:"A"`
			}) (*struct{}, error) {
				return nil, nil
			})
		},
		"type": func() {
			register1(t, op, func(context.Context, *struct {
				A float64 `query:"a"`
			}) (*struct{}, error) {
				return nil, nil
			})
		},
		"header of the answer": func() {
			register1(t, op, func(context.Context, *struct{}) (*struct{ Age int }, error) { return nil, nil })
		},
	} {
		if !panics(do) {
			t.Errorf("%s: no panic", name)
		}
	}
}

func panics(do func()) (yes bool) {
	defer func() { yes = recover() != nil }()
	do()
	return
}

// What is checked of a body is what the operation gets: a key in another case, or one that comes twice, is refused by
// its name.
func TestRegisterRefusesKeysThatOnlyOneReadingSees(t *testing.T) {
	t.Parallel()
	type body struct {
		Members []string `json:"members" maxItems:"2"`
		Rules   struct {
			Kind string `json:"kind,omitempty" maxLength:"3"`
		} `json:"rules,omitzero"`
		Tags map[string]string `json:"tags,omitempty"`
		Any  any               `json:"any,omitempty"`
	}
	var got *body
	mux := register1(t, huma.Operation{OperationID: "make", Method: http.MethodPost, Path: "/rooms"},
		func(_ context.Context, in *struct{ Body body }) (*struct{}, error) {
			got = &in.Body
			return nil, nil
		})
	for _, c := range []struct{ body, says string }{
		{`{"members":["a"],"tags":{"a":"1","A":"2"},"any":[{"x":1,"X":2}]}`, ""},
		{`{"members":[],"Members":["a","b","c"]}`, "/Members: there is no field of this name"},
		{`{"members":[],"member\u017f":["a","b","c"]}`, "/member\u017f: there is no field of this name"},
		{`{"members":["a","b","c"],"members":[]}`, `\"members\" comes twice`},
		{`{"members":[],"rules":{"kind":"long"},"rules":{}}`, `\"rules\" comes twice`},
		{`{"members":[],"any":[[{"a":{}}],{"b":1,"c":{"d":2},"\u0062":2}]}`, `\"b\" comes twice`},
		{`{"members":[],"tags":{"a":"1","a":"2"}}`, `\"a\" comes twice`},
	} {
		got = nil
		r := httptest.NewRequest(http.MethodPost, "/api/v1/rooms", strings.NewReader(c.body))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		if c.says == "" && got == nil || c.says != "" && (got != nil || w.Code != http.StatusBadRequest ||
			!strings.Contains(w.Body.String(), c.says)) {
			t.Errorf("%s: %d %s", c.body, w.Code, w.Body)
		}
	}
}
