package totp

import (
	"crypto/sha256"
	"fmt"
	"image"
	"image/color"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"
	"github.com/pquerna/otp"
	other "github.com/pquerna/otp/totp"
)

var rfcSecret = []byte("12345678901234567890")

// The vectors of RFC 6238, appendix B.
func TestVectors(t *testing.T) {
	for at, want := range map[int64]string{
		59: "94287082", 1111111109: "07081804", 1111111111: "14050471", 1234567890: "89005924", 2000000000: "69279037",
		20000000000: "65353130",
	} {
		if got := fmt.Sprintf("%08d", truncated(rfcSecret, at/30)%100_000_000); got != want {
			t.Errorf("%d: %s, want %s", at, got, want)
		}
		if step, ok := Check(rfcSecret, want[2:], time.Unix(at, 0), 0); !ok || step != at/30 {
			t.Errorf("%d: %d, %v", at, step, ok)
		}
	}
}

// Another implementation makes the codes that this one takes, and takes the
// secret from the link as an app would.
func TestAgainstAnotherImplementation(t *testing.T) {
	at := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	for i := range 200 {
		secret, now := NewSecret(), at.Add(time.Duration(i)*17*time.Second)
		key, err := otp.NewKeyFromURL(URI("Un: hidra & Söhne", "ann+1@example.org", secret))
		if err != nil {
			t.Fatal(err)
		}
		code, err := other.GenerateCode(key.Secret(), now)
		if err != nil {
			t.Fatal(err)
		}
		if step, ok := Check(secret, code, now, 0); !ok || step != now.Unix()/30 {
			t.Errorf("%s at %v: %d, %v", code, now, step, ok)
		}
	}
}

func TestCHK_MF_02_OneStepToEitherSide(t *testing.T) {
	secret, now := NewSecret(), time.Unix(1_800_000_000, 0)
	current := now.Unix() / period
	for d := int64(-3); d <= 3; d++ {
		step, ok := Check(secret, codeAt(secret, current+d), now, 0)
		if want := d >= -1 && d <= 1; ok != want || ok && step != current+d {
			t.Errorf("%+d: %d, %v", d, step-current, ok)
		}
	}
	code := codeAt(secret, current)
	for typed, want := range map[string]bool{code[:3] + " " + code[3:]: true, " " + code + "\n": true, code[:5]: false,
		code + "0": false, "": false, "ABCDEF": false} {
		if _, ok := Check(secret, typed, now, 0); ok != want {
			t.Errorf("%q: %v", typed, ok)
		}
	}
}

func TestCHK_MF_01_ACodeWorksOnce(t *testing.T) {
	secret, now := NewSecret(), time.Unix(1_800_000_000, 0)
	current := now.Unix() / period
	next, ok := Check(secret, codeAt(secret, current+1), now, 0)
	if !ok {
		t.Fatal("the next step's code is refused")
	}
	for d := int64(-1); d <= 1; d++ {
		if _, ok := Check(secret, codeAt(secret, current+d), now, next); ok {
			t.Errorf("the code of step %+d is taken after that of +1", d)
		}
	}
	if _, ok := Check(secret, codeAt(secret, current+2), now.Add(period*time.Second), next); !ok {
		t.Error("the code after it is refused")
	}
}

func TestURI(t *testing.T) {
	got := URI("Unhidra: Köln", "ann smith:1", rfcSecret)
	want := "otpauth://totp/Unhidra%20%20K%C3%B6ln:ann%20smith%201?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Unhidra%20%20K%C3%B6ln&algorithm=SHA1&digits=6&period=30"
	if got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	u, err := url.Parse(got)
	if err != nil || u.Path != "/Unhidra  Köln:ann smith 1" || u.Query().Get("issuer") != "Unhidra  Köln" {
		t.Errorf("%+v, %v", u, err)
	}
}

// Another reader reads the picture from its path, as it is painted: it looks for the
// marks of the corners, as cameras do, and some codes under a bad mask have one too
// many.
func TestPictureIsReadByAnotherReader(t *testing.T) {
	texts := []string{"x", URI(strings.Repeat("Ü", 40), strings.Repeat("long", 40)+"@example.org", rfcSecret)}
	for i := range byte(100) {
		secret := sha256.Sum256([]byte{i}) // the same each time: no reader reads all there are
		texts = append(texts, URI("Unhidra", "ann@example.org", secret[:20]))
	}
	for _, text := range texts {
		p, err := Draw(text)
		if err != nil {
			t.Fatal(err)
		}
		bits, err := gozxing.NewBinaryBitmapFromImage(paint(t, p, 4))
		if err != nil {
			t.Fatal(err)
		}
		read, err := qrcode.NewQRCodeReader().Decode(bits, nil)
		if err != nil || read.GetText() != text {
			t.Errorf("%q reads as %v, %v", text, read, err)
		}
	}
	if _, err := Draw(strings.Repeat("x", 4000)); err == nil {
		t.Error("more than fits is drawn")
	}
}

// paint fills the path's rectangles, which is all it may be made of.
func paint(t *testing.T, p Picture, scale int) image.Image {
	t.Helper()
	img := image.NewGray(image.Rect(0, 0, p.Size*scale, p.Size*scale))
	for i := range img.Pix {
		img.Pix[i] = 0xff
	}
	rects := regexp.MustCompile(`M(\d+) (\d+)h(\d+)v1h-(\d+)z`)
	if rest := rects.ReplaceAllString(p.Path, ""); rest != "" {
		t.Fatalf("%q in a path", rest)
	}
	for _, m := range rects.FindAllStringSubmatch(p.Path, -1) {
		var n [4]int
		for i := range n {
			n[i], _ = strconv.Atoi(m[i+1])
		}
		if n[2] != n[3] || n[0] < margin || n[0]+n[2] > p.Size-margin || n[1] < margin || n[1] >= p.Size-margin {
			t.Fatalf("%v is no rectangle inside the margin", n)
		}
		for x := n[0] * scale; x < (n[0]+n[2])*scale; x++ {
			for y := n[1] * scale; y < (n[1]+1)*scale; y++ {
				img.SetGray(x, y, color.Gray{})
			}
		}
	}
	return img
}
