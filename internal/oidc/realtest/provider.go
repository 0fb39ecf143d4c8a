// Package realtest signs people in against a provider of OpenID Connect that
// others wrote: Zitadel's library with the store of its example. It is a module
// of its own, so that what the provider needs stays out of the server's.
package realtest

import (
	"net/http"

	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"golang.org/x/text/language"
)

// How we are known to the provider, and the password of all its people.
const (
	ClientID = "unhidra"
	Secret   = "a secret of the client"
	Password = "verysecure"
)

// people are those that the provider knows, by username.
type people map[string]*storage.User

// Ann's address is verified, Bob's is not.
func everybody() people {
	return people{
		"ann": {
			ID: "id-ann", Username: "ann", Password: Password, FirstName: "Ann", LastName: "Smith",
			Email: "ann@example.org", EmailVerified: true, PreferredLanguage: language.English,
		},
		"bob": {
			ID: "id-bob", Username: "bob", Password: Password, FirstName: "Bob", LastName: "Jones",
			Email: "bob@example.org", PreferredLanguage: language.English,
		},
	}
}

func (p people) GetUserByUsername(name string) *storage.User { return p[name] }

func (p people) GetUserByID(id string) *storage.User {
	for _, u := range p {
		if u.ID == id {
			return u
		}
	}
	return nil
}

func (p people) ExampleClientID() string { return "service" }

// Provider returns the provider that calls itself issuer, which ends with a
// slash, and sends people back to one of the addresses given.
func Provider(issuer string, redirects ...string) http.Handler {
	storage.RegisterClients(storage.WebClient(ClientID, Secret, redirects...))
	return exampleop.SetupServer(issuer, storage.NewStorage(everybody()), nil, false)
}
