package emoji

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/unhidra/unhidra/internal/httpx"
	"github.com/unhidra/unhidra/internal/picture"
	"github.com/unhidra/unhidra/internal/wire"
)

// Routes adds the module's operations to api.
func (s *Service) Routes(api huma.API) {
	op := func(id, method, path, summary string, status int) huma.Operation {
		return huma.Operation{OperationID: id, Method: method, Path: path, Tags: []string{"emoji"},
			Security: httpx.Bearer, Summary: summary, DefaultStatus: status}
	}
	httpx.Register(api, op("list-emoji", "GET", "/emoji",
		"All emoji that people added to the server, by their names; If-None-Match is answered with 304", 200), s.getAll)
	add := op("add-emoji", "PUT", "/emoji/{name}", "Add an emoji to the server, with the picture that is sent", 201)
	add.MaxBodyBytes = picture.MaxBytes + 1 // above what is taken, so that the answer can say how much that is
	httpx.Register(api, add, s.put)
	httpx.Register(api, op("delete-emoji", "DELETE", "/emoji/{name}",
		"Delete an emoji of the server; messages and reactions keep its name", 204), s.delete)
}

// emojiList is all emoji of the server.
type emojiList struct {
	Items  []wire.CustomEmoji `json:"items" nullable:"false"`
	MayAdd bool               `json:"may_add" doc:"you may add some"`
}

type listOutput struct {
	Status       int
	ETag         string `header:"ETag"`
	CacheControl string `header:"Cache-Control"`
	Body         emojiList
}

type listInput struct{ known string }

// Resolve takes the ETag of the list that the client knows.
func (in *listInput) Resolve(ctx huma.Context) []error {
	in.known = ctx.Header("If-None-Match")
	return nil
}

func (s *Service) getAll(ctx context.Context, in *listInput) (*listOutput, error) {
	p := httpx.Principal(ctx)
	found, mayAdd, err := s.List(ctx, p)
	if err != nil {
		return nil, err
	}
	out := &listOutput{Status: http.StatusOK, CacheControl: "private, no-cache"}
	out.Body = emojiList{Items: make([]wire.CustomEmoji, len(found)), MayAdd: mayAdd}
	for i, e := range found {
		out.Body.Items[i] = wire.FromCustomEmoji(e, p.IsGuest())
	}
	b, err := json.Marshal(out.Body)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(b)
	out.ETag = `"` + hex.EncodeToString(sum[:16]) + `"`
	if strings.Contains(in.known, out.ETag) {
		out.Status = http.StatusNotModified
	}
	return out, nil
}

// InEmoji names an emoji. It is exported because the decoder sets only exported fields.
type InEmoji struct {
	Name string `path:"name" maxLength:"64" doc:"of 2 to 32 of these: a to z, 0 to 9, _, + and -, with _ at neither end"`
}

func by(ctx context.Context) By {
	return By{httpx.Principal(ctx), httpx.ClientAddr(ctx), httpx.UserAgent(ctx), httpx.RequestID(ctx)}
}

func (s *Service) put(ctx context.Context, in *struct {
	InEmoji
	RawBody []byte `contentType:"image/*"`
}) (*struct{ Body wire.CustomEmoji }, error) {
	e, err := s.Add(ctx, by(ctx), in.Name, in.RawBody)
	if err != nil {
		return nil, err
	}
	return &struct{ Body wire.CustomEmoji }{wire.FromCustomEmoji(e, false)}, nil
}

func (s *Service) delete(ctx context.Context, in *InEmoji) (*struct{}, error) {
	return nil, s.Delete(ctx, by(ctx), strings.Trim(in.Name, ":"))
}
