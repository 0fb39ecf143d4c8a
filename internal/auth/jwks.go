package auth

import "net/http"

// KeysPath is where others find the public keys that our access tokens can be
// verified with, where they are signed with EdDSA.
const KeysPath = "/.well-known/jwks.json"

// ServeKeys answers with them. They are there before a server changes to EdDSA, and
// a former key is for as long as it is configured.
func (s *Service) ServeKeys(w http.ResponseWriter, _ *http.Request) {
	keys, err := s.Keys.JWKS()
	if err != nil {
		panic(err) // a few strings are always JSON
	}
	w.Header().Set("Content-Type", "application/jwk-set+json")
	w.Header().Set("Cache-Control", "public, max-age=300")
	_, _ = w.Write(keys)
}
