package files

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/blob"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
)

// memory has one file, and the content of its parts.
type memory struct {
	Store
	file  domain.File
	parts map[string][]byte
	away  error // nil: the storage is there

	asked, created int // files that links were asked for, and that were begun
}

func (m *memory) Own(context.Context, string, string) (domain.File, error) { return m.file, nil }

func (m *memory) AddPart(
	_ context.Context, _, _ string, p domain.FilePiece, _ []domain.Blob, _ time.Time,
) error {
	m.file.Parts = append(m.file.Parts, p)
	return nil
}

func (m *memory) Receive(context.Context, io.Reader, int64) (*blob.Incoming, error) {
	return nil, m.away
}

func (m *memory) Keep(
	ctx context.Context, add func(context.Context, []domain.Blob) error, _ ...*blob.Incoming,
) error {
	return add(ctx, nil)
}

func (m *memory) Open(_ context.Context, hash string) (io.ReadSeekCloser, domain.Blob, error) {
	if m.away != nil {
		return nil, domain.Blob{}, m.away
	}
	return nopCloser{bytes.NewReader(m.parts[hash])}, domain.Blob{}, nil
}

type nopCloser struct{ io.ReadSeeker }

func (nopCloser) Close() error { return nil }

func serviceOf(m *memory) *Service {
	return New(Deps{Store: m, Blobs: m, Log: slog.New(slog.DiscardHandler)})
}

// While the storage of files is away, a part is refused for now, and the upload stays as it is.
func TestUploadsWaitForTheStorage(t *testing.T) {
	t.Parallel()
	m := &memory{away: domain.Unavailable.Errorf(domain.CodeFilesUnavailable, "away"), file: domain.File{
		ID: domain.NewID(domain.FilePrefix), Size: 3, State: domain.FileUploading}}
	s, p := serviceOf(m), domain.Principal{ID: "usr_1"}
	err := s.AddPart(t.Context(), p, m.file.ID, Part{Size: -1}, strings.NewReader("abc"))
	if domain.KindOf(err) != domain.Unavailable || len(m.file.Parts) != 0 {
		t.Errorf("a part: %v, %d parts", err, len(m.file.Parts))
	}
	m.file.Parts = []domain.FilePiece{{Size: 3, Hash: "h"}}
	if f, err := s.Complete(t.Context(), p, m.file.ID, Completion{}); domain.KindOf(err) != domain.Unavailable ||
		f.State != domain.FileUploading {
		t.Errorf("complete: %s, %v", f.State, err)
	}
}

// A part of another length than it must have is refused by what is announced, before any of it is read.
func TestAPartIsRefusedByItsLength(t *testing.T) {
	t.Parallel()
	m := &memory{file: domain.File{ID: domain.NewID(domain.FilePrefix), Size: 3, State: domain.FileUploading}}
	for _, size := range []int64{0, 2, 4} {
		r := strings.NewReader("abcd")
		err := serviceOf(m).AddPart(t.Context(), domain.Principal{ID: "usr_1"}, m.file.ID, Part{Size: size}, r)
		if domain.CodeOf(err) != domain.CodeInvalidRequest || r.Len() != 4 {
			t.Errorf("%d bytes: %v, and %d are read", size, err, 4-r.Len())
		}
	}
}

// The parts of a file are read as one, from any place.
func TestContentIsReadAcrossParts(t *testing.T) {
	t.Parallel()
	m := &memory{parts: map[string][]byte{"a": []byte("abcd"), "b": []byte("efgh"), "c": []byte("i")}}
	f := domain.File{Size: 9, Parts: []domain.FilePiece{{N: 0, Size: 4, Hash: "a"}, {N: 1, Size: 4, Hash: "b"},
		{N: 2, Size: 1, Hash: "c"}}}
	for from, want := range []string{"abcdefghi", "bcdefghi", "cdefghi", "defghi", "efghi", "fghi", "ghi", "hi", "i", ""} {
		r := serviceOf(m).open(t.Context(), f)
		if _, err := r.Seek(int64(from), io.SeekStart); err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(r); err != nil || string(b) != want {
			t.Errorf("from %d: %q, %v", from, b, err)
		}
		_ = r.Close()
	}
	delete(m.parts, "b")
	if b, err := io.ReadAll(serviceOf(m).open(t.Context(), f)); err == nil {
		t.Errorf("without a part: %q", b)
	}
}

// Who loads files takes no place of those who ask for something else, and has places enough.
func TestOneDownloadTooManyIsRefused(t *testing.T) {
	t.Parallel()
	s := New(Deps{Store: &memory{}, Log: slog.New(slog.DiscardHandler), Limits: Limits{OfAddr: maxDownloads / 4}})
	load := func(from string) *httptest.ResponseRecorder {
		r, w := httptest.NewRequest(http.MethodGet, httpx.FilePath+"x/content", nil), httptest.NewRecorder()
		r.RemoteAddr = from + ":1"
		mux := http.NewServeMux()
		s.Handle(mux)
		h, err := httpx.Handler(mux, httpx.HandlerOptions{})
		if err != nil {
			t.Fatal(err)
		}
		h.ServeHTTP(w, r)
		return w
	}
	var leave func()
	for n := range maxDownloads {
		var err error
		if leave, err = s.downloads.Enter(netip.AddrFrom4([4]byte{192, 0, 2, byte(n % 4)})); err != nil {
			t.Fatal(err)
		}
	}
	for from, want := range map[string]domain.Code{"192.0.2.3": domain.CodeBusyAddress, "192.0.2.9": domain.CodeBusy} {
		if w := load(from); w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") != "10" ||
			!strings.Contains(w.Body.String(), string(want)) {
			t.Errorf("one more from %s: %d, %s", from, w.Code, w.Body)
		}
	}
	leave()
	for range 2 { // the first leaves its place to the second
		if w := load("192.0.2.9"); w.Code != http.StatusNotFound {
			t.Errorf("after one has ended: %d, %s", w.Code, w.Body)
		}
	}
}

func TestMediaTypes(t *testing.T) {
	t.Parallel()
	frame := append([]byte{0xff, 0xfb, 0x90, 0x00}, make([]byte, 413)...) // 128 kbit/s at 44.1 kHz: 417 bytes
	for head, want := range map[string]string{
		"": "text/plain",
		"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isomiso2": "video/mp4",
		"\x00\x00\x00\x18ftypM4A \x00\x00\x02\x00isomiso2": "audio/mp4",
		"\x00\x00\x00\x18ftypqt  \x00\x00\x02\x00qt  qt  ": "video/quicktime",
		"\x00\x00\x00\x18ftypavif\x00\x00\x00\x00avifmif1": "image/avif",
		"\x00\x00\x00\x18ftypmif1\x00\x00\x00\x00mif1avif": "image/avif",
		"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic": "image/heic",
		"\x00\x00\x00\x10ftypabcd\x00\x00\x00\x00":         "application/octet-stream",
		"fLaC\x00":                                         "audio/flac",
		"OggS\x00\x02OpusHead":                             "audio/ogg",
		"OggS\x00\x02\x80theora":                           "video/ogg",
		"\x1a\x45\xdf\xa3\x01webm ... A_OPUS":              "audio/webm",
		"\x1a\x45\xdf\xa3\x01webm ... V_VP9 A_OPUS":        "video/webm",
		"\x1a\x45\xdf\xa3\x01matroska":                     "video/x-matroska",
		"RIFF\x24\x00\x00\x00WAVEfmt ":                     "audio/wav",
		string(append(frame, 0xff, 0xfb, 0x90, 0x00)):      "audio/mpeg",
		string(frame):                                      "application/octet-stream",
		"<svg xmlns=\"http://www.w3.org/2000/svg\"></svg>": "text/plain",
		"<?xml version=\"1.0\"?><svg></svg>":               "text/xml",
		"\x89PNG\r\n\x1a\n":                                "image/png",
	} {
		if got := mediaType([]byte(head)); got != want {
			t.Errorf("%.40q: %s, want %s", head, got, want)
		}
	}
}

// ReadableOf finds none of the files.
func (m *memory) ReadableOf(_ context.Context, ids []string, _ string) ([]domain.File, error) {
	m.asked = len(ids)
	return nil, nil
}

// Links are asked for up to a number of files at a time, and one more asks the store for none.
func TestLinksAreAskedForUpToABound(t *testing.T) {
	t.Parallel()
	m := &memory{}
	s := serviceOf(m)
	for n := domain.MaxFileLinks; n <= domain.MaxFileLinks+1; n++ {
		m.asked = 0
		_, _, err := s.LinksOf(t.Context(), domain.Principal{ID: "usr_1"}, make([]string, n))
		if taken := n == domain.MaxFileLinks; taken != (err == nil) || taken != (m.asked == n) || !taken &&
			!strings.Contains(err.Error(), fmt.Sprint(domain.MaxFileLinks)) {
			t.Errorf("links of %d files: %v, %d were looked up", n, err, m.asked)
		}
	}
}

// What a client says of a video is believed within bounds, and what is beyond leaves the upload as it is.
func TestWhatIsSaidOfAVideoIsBounded(t *testing.T) {
	t.Parallel()
	const side, length = domain.MaxPictureSide, domain.MaxMediaLength
	for _, c := range []struct {
		Completion
		says string // empty: it is taken
	}{
		{Completion{Width: side, Height: side, Duration: length}, ""},
		{Completion{Width: side + 1, Height: side}, "65536 pixels"},
		{Completion{Width: side, Height: side + 1}, "65536 pixels"},
		{Completion{Width: -1}, "65536 pixels"},
		{Completion{Duration: length + time.Millisecond}, "168 hours"},
		{Completion{Duration: -time.Millisecond}, "168 hours"},
	} {
		err := c.check()
		if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%+v: %v", c.Completion, err)
		}
		if c.says == "" {
			continue
		}
		m := &memory{file: domain.File{ID: domain.NewID(domain.FilePrefix), Size: 1, State: domain.FileUploading}}
		if _, err := serviceOf(m).Complete(t.Context(), domain.Principal{ID: "usr_1"}, m.file.ID, c.Completion); err == nil ||
			m.file.State != domain.FileUploading {
			t.Errorf("it is %s, %v", m.file.State, err)
		}
	}
}

// The largest file has as many parts as there may be, whatever the server allows besides.
func TestAFileHasUpToSoManyParts(t *testing.T) {
	t.Parallel()
	const most = int64(domain.FilePart) * domain.MaxFileParts
	m := &memory{}
	s := New(Deps{Store: m, Blobs: m, Log: slog.New(slog.DiscardHandler), Limits: Limits{Size: 2 * most},
		Space: func(int64) error { return nil }})
	room, ann := domain.NewID(domain.RoomPrefix), domain.Principal{ID: "usr_1"}
	f, err := s.Begin(t.Context(), ann, room, "a.bin", most)
	if err != nil || domain.PartCount(f.Size) != domain.MaxFileParts {
		t.Errorf("the largest: %v, %d parts", err, domain.PartCount(f.Size))
	}
	_, err = s.Begin(t.Context(), ann, room, "a.bin", most+1)
	if m.created != 1 || domain.CodeOf(err) != domain.CodeFileTooLarge ||
		!strings.Contains(err.Error(), fmt.Sprint(most>>20)) {
		t.Errorf("a byte more: %v, %d were begun", err, m.created)
	}
}

func (m *memory) Create(context.Context, domain.File, int64, time.Time) error {
	m.created++
	return nil
}
