package app_test

import (
	"bufio"
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/live"
)

// dot is a GIF of one pixel.
const dot = "GIF89a\x01\x00\x01\x00\x80\x00\x00\xff\x00\x00\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"

// Somebody adds an emoji, of which everybody hears at once, who reacts with it, and deletes it. It is recorded.
func TestEmojiOfTheServer(t *testing.T) {
	t.Parallel()
	live.EachSetup(t, func(t *testing.T, start live.Starter) {
		s, ctx := start(), t.Context()
		ann, bob := s.User("ann"), s.User("bob")
		news := make(chan client.EmojiChanged, 4)
		l := bob.Live(ctx, client.LiveOptions{OnEmoji: func(e client.EmojiChanged) { news <- e }})
		t.Cleanup(l.Close)
		must(t, l.Ready(ctx))
		red := image.NewNRGBA(image.Rect(0, 0, 200, 100))
		red.Set(100, 50, color.NRGBA{255, 0, 0, 255})
		var file bytes.Buffer
		must(t, png.Encode(&file, red))
		made, err := ann.AddEmoji(ctx, "Parrot", file.Bytes())
		must(t, err)
		if got := next(t, news); got != (client.EmojiChanged{Name: "parrot", Picture: made.Picture}) {
			t.Errorf("the others hear %+v", got)
		}
		if status, kind := picture(t, s, made.Picture); status != http.StatusOK || kind != "image/png" {
			t.Errorf("the picture is answered with %d, %s", status, kind)
		}
		list(t, s, bob)

		room, err := ann.CreateRoom(ctx, client.NewRoom{Kind: "public", Name: "Tea"})
		must(t, err)
		said, err := ann.Send(ctx, client.Draft{Room: room.ID, Text: "see :parrot:"})
		must(t, err)
		_, err = ann.React(ctx, room.ID, said.Seq, ":parrot:")
		must(t, err)
		who, err := ann.Reactors(ctx, room.ID, said.Seq, ":parrot:", "")
		if must(t, err); len(who.Items) != 1 {
			t.Errorf("who reacted: %+v", who)
		}
		for name, c := range map[string]struct {
			do   func() error
			code domain.Code
		}{
			"a reaction by an unknown one": {func() error {
				_, err := ann.React(ctx, room.ID, said.Seq, ":tukan:")
				return err
			}, domain.CodeNoEmoji},
			"the same name": {func() error { _, err := bob.AddEmoji(ctx, "parrot", file.Bytes()); return err },
				domain.CodeEmojiTaken},
			"a name that everybody knows": {func() error { _, err := bob.AddEmoji(ctx, "tada", file.Bytes()); return err },
				domain.CodeEmojiTaken},
			"no picture": {func() error { _, err := bob.AddEmoji(ctx, "text", file.Bytes()[:20]); return err },
				domain.CodeBadPicture},
			"somebody else's": {func() error { return bob.DeleteEmoji(ctx, "parrot") }, domain.CodeNotAdmin},
		} {
			if err := c.do(); codeOf(err) != c.code {
				t.Errorf("%s: %v", name, err)
			}
		}
		must(t, ann.DeleteEmoji(ctx, ":parrot:"))
		if got := next(t, news); got != (client.EmojiChanged{Name: "parrot"}) {
			t.Errorf("the others hear %+v", got)
		}
		must(t, bob.Join(ctx, room.ID))
		m, err := bob.Message(ctx, room.ID, said.Seq)
		if err != nil || len(m.Reactions) != 1 || m.Text != "see :parrot:" {
			t.Errorf("what is left: %+v, %v", m, err)
		}
	})
}

// list has the list come once, and not again as long as nothing has changed.
func list(t *testing.T, s *live.Server, c *client.Client) {
	t.Helper()
	tag := ""
	for _, want := range []int{http.StatusOK, http.StatusNotModified} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/api/v1/emoji", nil)
		must(t, err)
		req.Header.Set("Authorization", "Bearer "+c.Tokens().Access)
		req.Header.Set("If-None-Match", tag)
		res, err := http.DefaultClient.Do(req)
		must(t, err)
		_ = res.Body.Close()
		if tag = res.Header.Get("ETag"); res.StatusCode != want || res.Header.Get("Cache-Control") != "private, no-cache" {
			t.Errorf("the list is answered with %d, %v", res.StatusCode, res.Header)
		}
	}
}

// Administrators keep it to themselves to add emoji if they want to; guests, bots and devices never do.
func TestWhoAddsEmoji(t *testing.T) {
	t.Parallel()
	s := live.Start(t, testkit.SQLite(t))
	ctx, admin, ann := t.Context(), root(t, s), s.User("ann")
	gif := []byte(dot)
	may := func(c *client.Client) (may bool) {
		t.Helper()
		var list struct {
			MayAdd bool `json:"may_add"`
		}
		must(t, c.Do(ctx, "GET", "/emoji", nil, &list))
		return list.MayAdd
	}
	_, err := ann.AddEmoji(ctx, "one", gif)
	if must(t, err); !may(ann) {
		t.Error("ann is told that she may not add emoji")
	}
	must(t, admin.Do(ctx, "PATCH", "/admin/settings", map[string]string{"custom_emoji": "admins"}, nil))
	if _, err := ann.AddEmoji(ctx, "two", gif); codeOf(err) != domain.CodeNotAdmin || may(ann) {
		t.Errorf("ann adds one all the same: %v", err)
	}
	_, err = admin.AddEmoji(ctx, "two", gif)
	if must(t, err); !may(admin) {
		t.Error("the administrator is told that they may not add emoji")
	}
	must(t, ann.DeleteEmoji(ctx, "one"))
	must(t, admin.Do(ctx, "PATCH", "/admin/settings", map[string]string{"custom_emoji": "everyone"}, nil))
	_, err = ann.AddEmoji(ctx, "one", gif)
	must(t, err)
	must(t, admin.DeleteEmoji(ctx, "one"))
}

// What the web client finds emoji by is no name for another one.
func TestStandardEmojiKeepTheirNames(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("../../web/src/view/room/emoji.ts")
	must(t, err)
	_, lines, _ := strings.Cut(string(source), "const lines = `")
	lines, _, _ = strings.Cut(lines, "`")
	var names []string
	for entry := range strings.FieldsFuncSeq(lines, func(r rune) bool { return r == '|' || r == '\n' }) {
		names = append(names, strings.Fields(entry)[1:]...)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if len(names) < 300 || !slices.Equal(names, strings.Fields(domain.StandardEmojiNames)) {
		t.Errorf("domain.StandardEmojiNames should be these %d:\n%s", len(names), strings.Join(names, " "))
	}
}

// An upload of an emoji whose connection ends leaves nothing; the same one is taken once it arrives.
func TestAnEmojiThatDoesNotArriveLeavesNothing(t *testing.T) {
	t.Parallel()
	s := live.Start(t, testkit.SQLite(t))
	ctx, ann := t.Context(), s.User("ann")
	var drawn bytes.Buffer
	must(t, png.Encode(&drawn, image.NewNRGBA(image.Rect(0, 0, 64, 64))))
	for _, sent := range []int{0, 1, drawn.Len() - 1} {
		conn, err := net.Dial("tcp", s.Public)
		must(t, err)
		_, err = fmt.Fprintf(conn, "PUT /api/v1/emoji/parrot HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n"+
			"Content-Type: image/png\r\nContent-Length: %d\r\n\r\n%s", s.Public, ann.Tokens().Access, drawn.Len(),
			drawn.Bytes()[:sent])
		must(t, err)
		must(t, conn.(*net.TCPConn).CloseWrite()) // the request ends here, and the answer is still read
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err == nil && res.StatusCode < 400 {
			t.Errorf("%d of %d bytes are answered with %d", sent, drawn.Len(), res.StatusCode)
		}
		_ = conn.Close()
	}
	nothing(t, s, ann)
	_, err := ann.AddEmoji(ctx, "parrot", drawn.Bytes())
	must(t, err)
}

// nothing checks that a server has no emoji, and no file that one was to be.
func nothing(t *testing.T, s *live.Server, c *client.Client) {
	t.Helper()
	if all, err := c.CustomEmoji(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("there are %+v, %v", all, err)
	}
	db := testkit.Raw(t, s.Store)
	var kept int
	must(t, db.QueryRowContext(t.Context(), `SELECT (SELECT count(*) FROM blobs) + (SELECT count(*) FROM blob_refs)`).
		Scan(&kept))
	files, err := filepath.Glob(filepath.Join(filepath.Dir(s.Store.Path), "files", "*", "*"))
	if must(t, err); kept != 0 || len(files) != 0 {
		t.Errorf("there are %d rows, and the files %v", kept, files)
	}
}
