package auth

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/unhidra/unhidra/internal/auth/factor"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
)

// providerCookie keeps the secret of a sign-in by a provider. The provider sends
// the browser back to a page of ours, which posts what it was given: the cookie
// comes with that.
const providerCookie = "unhidra_p"

func (s *Service) providerRoutes(api huma.API) {
	tag := []string{"accounts"}
	httpx.Register(api, huma.Operation{OperationID: "begin-provider", Method: "POST", Path: "/auth/provider/{provider}",
		Tags: tag, Summary: "Begin to sign in by an OpenID provider"}, s.postProvider)
	httpx.Register(api, huma.Operation{OperationID: "finish-provider", Method: "POST", Path: "/auth/provider", Tags: tag,
		Summary: "Go on where the provider sent the browser back"}, s.postProviderBack)
	httpx.Register(api, own("link-provider", "POST", "/me/providers/{provider}",
		"Begin to link an account at an OpenID provider"), s.postLink)
	httpx.Register(api, gone(own("unlink-provider", "DELETE", "/me/providers/{provider}",
		"End your sign-in by a provider")), s.deleteLink)
}

type locationOutput struct {
	SetCookie []http.Cookie `header:"Set-Cookie"`
	Body      struct {
		Location string `json:"location" doc:"where to send the browser"`
	}
}

func (s *Service) postProvider(ctx context.Context, in *struct {
	Provider string `path:"provider" maxLength:"32"`
}) (*locationOutput, error) {
	return s.begin(ctx, in.Provider, domain.Principal{})
}

func (s *Service) begin(ctx context.Context, provider string, link domain.Principal) (*locationOutput, error) {
	location, secret, err := s.BeginProvider(ctx, provider, link, client(ctx))
	if err != nil {
		return nil, err
	}
	out := &locationOutput{SetCookie: []http.Cookie{s.cookie(providerCookie, secret, factor.AttemptLife)}}
	out.Body.Location = location
	return out, nil
}

func (s *Service) postProviderBack(ctx context.Context, in *struct {
	Body struct {
		Query  string `json:"query" maxLength:"8192" doc:"of the address that the provider sent the browser to"`
		Client string `json:"client,omitempty" enum:"web,native"`
	}
}) (*signedOutput, error) {
	back, err := url.ParseQuery(in.Body.Query)
	if err != nil {
		return nil, domain.InvalidField("/query", "this is not a query")
	}
	v, err := s.FinishProvider(ctx, httpx.Cookies(ctx)[s.cookieName(providerCookie)], back, client(ctx))
	if err != nil {
		return nil, err
	}
	var out *signedOutput
	if v.Access == "" && v.State == Complete { // an account was linked; who asked is signed in as before
		out = &signedOutput{Body: Step{State: Complete}}
	} else if out, err = s.answer(v, in.Body.Client == "web", nil); err != nil {
		return nil, err
	}
	used := s.cookie(providerCookie, "", -time.Second)
	return &signedOutput{append(out.SetCookie, used), out.Body}, nil
}

func (s *Service) postLink(ctx context.Context, in *struct {
	Provider string `path:"provider" maxLength:"32"`
}) (*locationOutput, error) {
	p := httpx.Principal(ctx)
	if err := s.Fresh(ctx, p); err != nil {
		return nil, err
	}
	return s.begin(ctx, in.Provider, p)
}

func (s *Service) deleteLink(ctx context.Context, in *struct {
	Provider string `path:"provider" maxLength:"32"`
}) (*struct{}, error) {
	return nil, s.Unlink(ctx, httpx.Principal(ctx), in.Provider, client(ctx))
}
