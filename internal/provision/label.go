package provision

import (
	"encoding/base32"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// A Label is what the QR code of a device says, as the libraries of Espressif for phones read it.
type Label struct {
	Version   string `json:"ver"`
	Name      string `json:"name"` // of its access point, or over Bluetooth
	Username  string `json:"username,omitempty"`
	Proof     string `json:"pop"`
	Transport string `json:"transport"` // softap or ble
	Security  int    `json:"security"`
}

// maxName is how many bytes the name of a device may have over Bluetooth.
const maxName = 29

const nameChars = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"

// NewLabel makes a label with a proof of possession, of 16 characters at random (80 bits).
func NewLabel(name, transport string, security int) (Label, error) {
	switch {
	case name == "" || len(name) > maxName || strings.Trim(name, nameChars) != "":
		return Label{}, fmt.Errorf("a name has 1 to %d letters, digits, _ and -: %q", maxName, name)
	case transport != "softap" && transport != "ble":
		return Label{}, errors.New("the transport is softap or ble")
	case security != 1 && security != 2:
		return Label{}, errors.New("the security is 1 or 2")
	}
	b := make([]byte, 10)
	fill(b)
	l := Label{Version: "v1", Name: name, Transport: transport, Security: security,
		Proof: strings.ToLower(base32.StdEncoding.EncodeToString(b))}
	if security == 2 {
		l.Username = DefaultUsername
	}
	return l, nil
}

// Payload is the text of the QR code.
func (l Label) Payload() string {
	b, _ := json.Marshal(l) // texts and a number
	return string(b)
}

// ReadLabel reads the text of a QR code. Where it does not say, the security is 2.
func ReadLabel(text string) (Label, error) {
	l := Label{Security: 2}
	if err := json.Unmarshal([]byte(text), &l); err != nil || l.Version != "v1" || l.Name == "" {
		return Label{}, errors.New(`this is no label of a device: {"ver":"v1","name":…,"pop":…,"transport":…}`)
	}
	return l, nil
}

// Secrets are what goes into the memory of a device (NVS, as CSV of nvs_partition_gen) for its label: of Security 2 the
// salt and the verifier, by which nobody finds the password; of Security 1 the proof itself.
func (l Label) Secrets() string {
	var b strings.Builder
	b.WriteString("key,type,encoding,value\nprov,namespace,,\n")
	line := func(key, encoding, value string) { fmt.Fprintf(&b, "%s,data,%s,%s\n", key, encoding, value) }
	line("name", "string", l.Name)
	if l.Security == 1 {
		line("pop", "string", l.Proof)
		return b.String()
	}
	salt := make([]byte, 16)
	for salt[0] == 0 { // some peers drop leading zeros
		fill(salt)
	}
	line("salt", "hex2bin", hex.EncodeToString(salt))
	line("verifier", "hex2bin", hex.EncodeToString(Verifier(l.Username, l.Proof, salt)))
	return b.String()
}
