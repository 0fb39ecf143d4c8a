package app_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"image"
	"image/jpeg"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/disk"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/live"
)

// tea makes a private room of ann's with bob in it.
func tea(t *testing.T, ann, bob *client.Client) string {
	t.Helper()
	room, err := ann.CreateRoom(t.Context(), client.NewRoom{Kind: "private", Name: "Tea"})
	must(t, err)
	must(t, ann.Add(t.Context(), room.ID, id(t, bob)))
	return room.ID
}

func putPart(t *testing.T, c *client.Client, file string, n int, data []byte) error {
	t.Helper()
	return c.Do(t.Context(), "PUT", fmt.Sprint("/files/", file, "/parts/", n), client.Bytes(data), nil)
}

func complete(t *testing.T, c *client.Client, file, hash string) (u client.Upload, err error) {
	t.Helper()
	err = c.Do(t.Context(), "POST", "/files/"+file+"/complete", map[string]string{"sha256": hash}, &u)
	return u, err
}

// Parts come in any order and again; what is no part of the file is refused, and the upload goes on.
func TestUploadsTakeTheirPartsAlone(t *testing.T) {
	t.Parallel()
	live.EachSetup(t, func(t *testing.T, start live.Starter) {
		s, ctx := start(), t.Context()
		ann, bob := s.User("ann"), s.User("bob")
		room := tea(t, ann, bob)
		data := noise(domain.FilePart+5, 2)
		sum := sha256.Sum256(data)
		u, err := ann.BeginUpload(ctx, room, "a.bin", int64(len(data)))
		must(t, err)
		must(t, putPart(t, ann, u.ID, 1, data[domain.FilePart:]))
		must(t, putPart(t, ann, u.ID, 1, []byte("other")))
		for name, put := range map[string]func() error{
			"too short": func() error { return putPart(t, ann, u.ID, 0, data[:100]) },
			"empty":     func() error { return putPart(t, ann, u.ID, 0, nil) },
			"too long":  func() error { return putPart(t, ann, u.ID, 1, []byte("123456")) },
			"no part":   func() error { return putPart(t, ann, u.ID, 2, []byte("12345")) },
		} {
			if err := put(); codeOf(err) != client.CodeInvalidRequest {
				t.Errorf("%s: %v", name, err)
			}
		}
		if err := putPart(t, ann, u.ID, 0, make([]byte, domain.FilePart+1)); err == nil {
			t.Error("a part of more than 8 MiB is taken")
		}
		if err := putPart(t, bob, u.ID, 0, data[:domain.FilePart]); codeOf(err) != client.CodeNoSuchFile {
			t.Errorf("a part of somebody else: %v", err)
		}
		if _, err := complete(t, ann, u.ID, ""); codeOf(err) != client.CodeUploadOpen || !strings.Contains(err.Error(), "0") {
			t.Errorf("without a part: %v", err)
		}
		if _, err := ann.Send(ctx, client.Draft{Room: room, Files: []string{u.ID}}); codeOf(err) != client.CodeUploadOpen {
			t.Errorf("an open upload is posted: %v", err)
		}
		must(t, putPart(t, ann, u.ID, 0, data[:domain.FilePart]))
		if _, err := complete(t, ann, u.ID, hex.EncodeToString(sum[:])); codeOf(err) != client.CodeUploadHash {
			t.Errorf("with another part: %v", err)
		}
		must(t, putPart(t, ann, u.ID, 1, data[domain.FilePart:]))
		if is, err := ann.Upload(ctx, u.ID); err != nil || len(is.Parts) != 2 || is.State != "uploading" {
			t.Errorf("before it is complete: %+v, %v", is, err)
		}
		for range 2 {
			if is, err := complete(t, ann, u.ID, hex.EncodeToString(sum[:])); err != nil || is.State != "ready" {
				t.Errorf("complete: %+v, %v", is, err)
			}
		}
		if err := putPart(t, ann, u.ID, 1, data[domain.FilePart:]); codeOf(err) != client.CodeUploadComplete {
			t.Errorf("a part of what is complete: %v", err)
		}
		one, err := ann.BeginUpload(ctx, room, "one", 5)
		must(t, err)
		must(t, putPart(t, ann, one.ID, 0, []byte("other")))
		if _, err := complete(t, ann, one.ID, hex.EncodeToString(sum[:])); codeOf(err) != client.CodeUploadHash {
			t.Errorf("a single part that is another one: %v", err)
		}
	})
}

// Only one's own files that are ready are posted, each once in a message, where one may.
func TestWhoMayPostWhichFiles(t *testing.T) {
	t.Parallel()
	s := live.Start(t, testkit.SQLite(t))
	ctx := t.Context()
	ann, bob, eve := s.User("ann"), s.User("bob"), s.User("eve")
	room, other := tea(t, ann, bob), tea(t, ann, bob)
	u := upload(t, ann, room, "a.txt", []byte("hello"))
	for name, c := range map[string]struct {
		who   *client.Client
		files []string
		want  client.Code
	}{
		"somebody else's":  {bob, []string{u.ID}, client.CodeNoSuchFile},
		"none":             {ann, []string{domain.NewID(domain.FilePrefix)}, client.CodeNoSuchFile},
		"no id":            {ann, []string{"../x"}, client.CodeInvalidField},
		"twice":            {ann, []string{u.ID, u.ID}, client.CodeInvalidField},
		"neither nor text": {ann, nil, client.CodeInvalidField},
	} {
		if _, err := c.who.Send(ctx, client.Draft{Room: room, Files: c.files}); codeOf(err) != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
	first, err := ann.Send(ctx, client.Draft{Room: room, Files: []string{u.ID}})
	must(t, err)
	second, err := ann.Send(ctx, client.Draft{Room: other, Files: []string{u.ID}})
	must(t, err)
	if err := ann.DeleteFile(ctx, u.ID); codeOf(err) != client.CodeFileInUse {
		t.Errorf("a posted file is deleted: %v", err)
	}
	edit := func(text string) error {
		path := fmt.Sprint("/rooms/", room, "/messages/", first.Seq)
		return ann.Do(ctx, "PATCH", path, map[string]string{"text": text}, nil)
	}
	must(t, edit("look"))
	must(t, edit(""))
	link := linkTo(t, bob, u.ID)
	must(t, ann.Do(ctx, "DELETE", fmt.Sprint("/rooms/", room, "/messages/", first.Seq), nil, nil))
	if r := s.Get(link); r.StatusCode != http.StatusOK {
		t.Errorf("while another message has it: %d", r.StatusCode)
	}
	must(t, bob.Leave(ctx, other))
	if r := s.Get(link); r.StatusCode != http.StatusNotFound {
		t.Errorf("bob has left: %d", r.StatusCode)
	}
	must(t, ann.Do(ctx, "DELETE", fmt.Sprint("/rooms/", other, "/messages/", second.Seq), nil, nil))
	if _, err := ann.Upload(ctx, u.ID); codeOf(err) != client.CodeNoSuchFile {
		t.Errorf("no message has it any more: %v", err)
	}
	if _, err := eve.BeginUpload(ctx, room, "a", 1); codeOf(err) != client.CodeNoRoom {
		t.Errorf("a stranger: %v", err)
	}
	door := client.New(s.URL)
	door.Device(registerDevice(t, ann, "Door").Key)
	if _, err := door.BeginUpload(ctx, room, "a", 1); err == nil {
		t.Error("a device uploads by REST")
	}
	must(t, ann.Do(ctx, "PATCH", "/rooms/"+room, map[string]bool{"archived": true}, nil))
	if _, err := ann.BeginUpload(ctx, room, "a", 1); codeOf(err) != client.CodeRoomArchived {
		t.Errorf("an archived room: %v", err)
	}
}

// Of several uploads at a time, those are refused that would exceed the quota, before a byte is sent.
func TestTheQuotaHoldsForUploadsAtOnce(t *testing.T) {
	t.Parallel()
	live.EachSetup(t, func(t *testing.T, start live.Starter) {
		s, ctx := start("UNHIDRA_FILE_STORAGE=10", "UNHIDRA_FILE_SIZE=5"), t.Context()
		ann, bob := s.User("ann"), s.User("bob")
		room := tea(t, ann, bob)
		var begun, refused atomic.Int32
		var all sync.WaitGroup
		for range 3 {
			all.Go(func() {
				switch _, err := ann.BeginUpload(ctx, room, "a", 4<<20); {
				case err == nil:
					begun.Add(1)
				case codeOf(err) == client.CodeQuotaExceeded && strings.Contains(err.Error(), "sort=size"):
					refused.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		all.Wait()
		if begun.Load() != 2 || refused.Load() != 1 {
			t.Errorf("%d begun, %d refused", begun.Load(), refused.Load())
		}
		if _, err := bob.BeginUpload(ctx, room, "a", 6<<20); codeOf(err) != client.CodeFileTooLarge {
			t.Errorf("a large file: %v", err)
		}
		if _, err := bob.BeginUpload(ctx, room, "a", 0); codeOf(err) != client.CodeInvalidField {
			t.Errorf("an empty file: %v", err)
		}
		var list struct {
			Items       []client.Upload
			Used, Quota int64
		}
		must(t, ann.Do(ctx, "GET", "/files?sort=size", nil, &list))
		if len(list.Items) != 2 || list.Used != 8<<20 || list.Quota != 10<<20 {
			t.Errorf("%d files, %d of %d", len(list.Items), list.Used, list.Quota)
		}
		must(t, ann.DeleteFile(ctx, list.Items[0].ID))
		_, err := ann.BeginUpload(ctx, room, "a", 4<<20)
		must(t, err)
	})
}

// Names come without paths, controls and marks that turn them; types are what the content is.
func TestFilesAreWhatTheyContain(t *testing.T) {
	t.Parallel()
	s := live.Start(t, testkit.SQLite(t))
	ann, bob := s.User("ann"), s.User("bob")
	room := tea(t, ann, bob)
	const bomb = "\x89\x50\x4e\x47\x0d\x0a\x1a\x0a\x00\x00\x00\x0d\x49\x48\x44\x52\x00\x00\x4e\x20\x00\x00\x4e\x20" +
		"\x08\x02\x00\x00\x00\x6c\x12\xd1\x6e\x00\x00\x00\x10\x49\x44\x41\x54\x78\x9c"
	for name, c := range map[string]struct{ data, mediaType, name string }{
		"photo.png":                   {`<svg xmlns="http://www.w3.org/2000/svg"><script>x()</script>`, "text/plain", "photo.png"},
		"../../etc/page.png":          {"<!DOCTYPE html><script>x()</script>", "text/html", "page.png"},
		`C:\pictures\a` + "\n" + ".b": {"%PDF-1.7", "application/pdf", "a.b"},
		"exe\u202egnp.txt":            {"GIF89a", "image/gif", "exegnp.txt"},
		"sound":                       {"ID3\x04tags", "audio/mpeg", "sound"},
		"bomb.png":                    {bomb, "application/octet-stream", "bomb.png"}, // 400 megapixels
	} {
		u := upload(t, ann, room, name, []byte(c.data))
		if u.Type != c.mediaType || u.Name != c.name || u.Thumbnail != nil {
			t.Errorf("%q: %+v", name, u.File)
		}
		r := s.Get(linkTo(t, ann, u.ID))
		how, _, _ := strings.Cut(r.Header.Get("Content-Disposition"), ";")
		if want := map[bool]string{true: "inline", false: "attachment"}[domain.ShownInline(u.Type)]; how != want {
			t.Errorf("%q is sent as %s", name, how)
		}
	}
	for _, name := range []string{"..", "/", "\u202e", "a/."} {
		if _, err := ann.BeginUpload(t.Context(), room, name, 1); codeOf(err) != client.CodeInvalidField {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// A photo that is posted says nothing of where it was taken, and has a small picture.
func TestPhotosArePostedWithoutTheirPlace(t *testing.T) {
	t.Parallel()
	s := live.Start(t, testkit.SQLite(t))
	ann, bob := s.User("ann"), s.User("bob")
	room := tea(t, ann, bob)
	var b bytes.Buffer
	must(t, jpeg.Encode(&b, image.NewRGBA(image.Rect(0, 0, 1200, 600)), nil))
	exif := "Exif\x00\x00MM\x00\x2a\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03" +
		"\x00\x00\x00\x01\x00\x06\x00\x00\x00\x00\x00\x00GPS"
	photo := append([]byte("\xff\xd8\xff\xe1\x00"+string(rune(len(exif)+2))+exif), b.Bytes()[2:]...)
	u := upload(t, ann, room, "photo.jpg", photo)
	if u.Type != "image/jpeg" || u.Width != 600 || u.Height != 1200 || u.Thumbnail == nil || u.Thumbnail.Height != 800 ||
		u.Size != int64(len(photo)-3) {
		t.Fatalf("%+v, %+v", u.File, u.Thumbnail)
	}
	var got bytes.Buffer
	_, err := ann.Download(t.Context(), u.ID, 0, &got)
	must(t, err)
	if bytes.Contains(got.Bytes(), []byte("GPS")) || int64(got.Len()) != u.Size {
		t.Errorf("%d bytes, with the place: %v", got.Len(), bytes.Contains(got.Bytes(), []byte("GPS")))
	}
	r := s.Get(strings.Replace(linkTo(t, ann, u.ID), "/content", "/thumbnail", 1))
	small, err := jpeg.Decode(r.Body)
	if err != nil || small.Bounds() != image.Rect(0, 0, 400, 800) || r.Header.Get("Content-Type") != "image/jpeg" {
		t.Errorf("the small picture: %v, %v", small, err)
	}
	// What is not shown, or whose head is longer than the server reads, says nothing of it either.
	large := slices.Clone(photo)
	copy(large[bytes.Index(large, []byte("\xff\xc0\x00"))+5:], "\x2e\xe0\x3e\x80") // 12,000 by 16,000
	depth := append([]byte("\xff\xe1\xff\xffhttp://ns.adobe.com/xmp/extension/\x00"), make([]byte, 65_498)...)
	long := slices.Concat(photo[:2], bytes.Repeat(depth, 17), photo[2:])
	for name, c := range map[string]struct {
		data      []byte
		mediaType string
		width     int
	}{"large.jpg": {large, "application/octet-stream", 0}, "long.jpg": {long, "image/jpeg", 600}} {
		u := upload(t, ann, room, name, c.data)
		if u.Type != c.mediaType || u.Width != c.width || u.Size != int64(len(photo)-3) {
			t.Errorf("%s: %+v", name, u.File)
		}
		var got bytes.Buffer
		if _, err := ann.Download(t.Context(), u.ID, 0, &got); err != nil || bytes.Contains(got.Bytes(), []byte("GPS")) {
			t.Errorf("%s says where it was taken; %v", name, err)
		}
	}
	half := upload(t, ann, room, "half.jpg", b.Bytes()[:b.Len()/2])
	if half.Thumbnail != nil {
		t.Errorf("half a photo has a small picture: %+v", half)
	}
}

// An upload goes on after the server was stopped in its middle.
func TestUploadsGoOnAfterARestart(t *testing.T) {
	t.Parallel()
	o := testkit.SQLite(t)
	s, ctx := live.Start(t, o), t.Context()
	ann, bob := s.User("ann"), s.User("bob")
	room := tea(t, ann, bob)
	data := noise(domain.FilePart+99, 3)
	u, err := ann.BeginUpload(ctx, room, "a.bin", int64(len(data)))
	must(t, err)
	must(t, putPart(t, ann, u.ID, 0, data[:domain.FilePart]))
	s.Stop()
	again := client.New(live.Start(t, o).URL)
	again.SetTokens(ann.Tokens())
	is, err := again.Upload(ctx, u.ID)
	if err != nil || len(is.Parts) != 1 {
		t.Fatalf("%+v, %v", is, err)
	}
	_, err = again.SendParts(ctx, is, bytes.NewReader(data), nil)
	must(t, err)
	var got bytes.Buffer
	if _, err := again.Download(ctx, u.ID, 0, &got); err != nil || !bytes.Equal(got.Bytes(), data) {
		t.Errorf("%d bytes, %v", got.Len(), err)
	}
}

// Uploads stop while there is room for messages.
func TestUploadsStopBeforeMessages(t *testing.T) {
	t.Parallel()
	o := testkit.SQLite(t)
	u, err := disk.Use(t.TempDir())
	if err != nil {
		t.Skipf("no disk is filled: this system does not tell how much of one is free: %v", err)
	}
	s := live.Start(t, o, fmt.Sprint("UNHIDRA_DISK_RESERVE=", u.Free>>21)) // half of what is free
	ann, bob := s.User("ann"), s.User("bob")
	room := tea(t, ann, bob)
	if _, err := ann.BeginUpload(t.Context(), room, "a", 1); codeOf(err) != client.CodeDiskFull {
		t.Errorf("an upload: %v", err)
	}
	if _, err := postFile(t, ann, room, "a", "", []byte("a")); codeOf(err) != client.CodeDiskFull {
		t.Errorf("a file in one request: %v", err)
	}
	_, err = ann.Send(t.Context(), client.Draft{Room: room, Text: "still here"})
	must(t, err)
}
