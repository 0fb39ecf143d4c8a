package mail

import (
	"bytes"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	netmail "net/mail"
	"net/textproto"
	"strings"
	"time"
)

// compose returns a mail with a text and an HTML part, of which the mail client shows one
// (multipart/alternative, RFC 2046, section 5.1.4). id is the same for each attempt to send the
// mail, so that duplicates can be recognized. oneClick is where mail programs end mails of this kind for their users
// (RFC 8058); empty: they cannot.
func compose(
	from netmail.Address, to, id, subject string, text, html []byte, at time.Time, oneClick string,
) ([]byte, error) {
	var parts bytes.Buffer
	w := multipart.NewWriter(&parts)
	for _, p := range []struct {
		kind string
		body []byte
	}{{"text/plain", text}, {"text/html", html}} {
		part, err := w.CreatePart(textproto.MIMEHeader{
			"Content-Type":              {p.kind + "; charset=utf-8"},
			"Content-Transfer-Encoding": {"quoted-printable"},
		})
		if err != nil {
			return nil, err
		}
		q := quotedprintable.NewWriter(part)
		if _, err := q.Write(p.body); err != nil {
			return nil, err
		}
		if err := q.Close(); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	_, domain, _ := strings.Cut(from.Address, "@")
	var m bytes.Buffer
	headers := [][2]string{
		{"From", from.String()},
		{"To", "<" + to + ">"},
		{"Subject", mime.QEncoding.Encode("utf-8", subject)},
		{"Date", at.Format(time.RFC1123Z)},
		{"Message-ID", "<" + id + "@" + domain + ">"},
		{"MIME-Version", "1.0"},
		{"Content-Type", mime.FormatMediaType("multipart/alternative", map[string]string{"boundary": w.Boundary()})},
		{"Auto-Submitted", "auto-generated"}, // RFC 3834: asks for no automatic replies
		{"X-Auto-Response-Suppress", "All"},
	}
	if oneClick != "" {
		headers = append(headers, [2]string{"List-Unsubscribe", "<" + oneClick + ">"},
			[2]string{"List-Unsubscribe-Post", "List-Unsubscribe=One-Click"})
	}
	for _, h := range headers {
		if strings.ContainsAny(strings.ReplaceAll(h[1], "\r\n ", ""), "\r\n") {
			return nil, fmt.Errorf("the header %s of a mail would have several lines", h[0])
		}
		fmt.Fprintf(&m, "%s: %s\r\n", h[0], h[1])
	}
	m.WriteString("\r\n")
	if _, err := io.Copy(&m, &parts); err != nil {
		return nil, err
	}
	return m.Bytes(), nil
}
