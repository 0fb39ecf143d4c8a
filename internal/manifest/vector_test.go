package manifest

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"strings"
	"testing"
)

// Other programs are checked by the example of docs/firmware-signing.md: this one must be too.
func TestTheExampleInTheDocumentationIsRight(t *testing.T) {
	t.Parallel()
	seed := make([]byte, ed25519.SeedSize)
	for i := range seed {
		seed[i] = byte(i)
	}
	key := ed25519.NewKeyFromSeed(seed)
	o := Offer{Type: "offer", Product: "greenhouse", Device: "dev_1", Nonce: "AAECAwQFBgcICQoLDA0ODw",
		ManifestSHA256: strings.Repeat("ab", 32), Rollout: "rol_1", Update: "upd_1", Issued: noon,
		Expires: noon.Add(MaxOffer)}
	e, err := o.Seal()
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Sign(key); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../../docs/firmware-signing.md")
	if err != nil {
		t.Fatal(err)
	}
	whole, err := e.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	signed := sha256.Sum256(e.Signed())
	for _, want := range []string{string(whole), string(e.Payload), hex.EncodeToString(signed[:]),
		string(e.Signed()[:len(e.Signed())-len(e.Payload)]), public(t, key)[0].KeyID,
		hex.EncodeToString(e.Signatures[0].Sig)} {
		if !bytes.Contains(page, []byte(want)) {
			t.Errorf("the page does not have %s", want)
		}
	}
}
