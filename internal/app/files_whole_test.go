package app_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/live"
)

// postFile sends a file in one request, with more in the query.
func postFile(t *testing.T, c *client.Client, room, name, more string, data []byte) (u client.Upload, err error) {
	t.Helper()
	path := "/rooms/" + room + "/files?name=" + url.QueryEscape(name) + more
	err = c.Do(t.Context(), "POST", path, client.Bytes(data), &u)
	return u, err
}

// usedBy returns how many bytes the files of somebody take, and how many files that are.
func usedBy(t *testing.T, c *client.Client) (bytes int64, files int) {
	t.Helper()
	var list struct {
		Items []client.Upload
		Used  int64
	}
	must(t, c.Do(t.Context(), "GET", "/files", nil, &list))
	return list.Used, len(list.Items)
}

// A file of one part comes in one request, and by one key once, also if it is sent several times at once. Members load
// it from the message that has it.
func TestAFileComesInOneRequest(t *testing.T) {
	t.Parallel()
	live.EachSetup(t, func(t *testing.T, start live.Starter) {
		s, ctx := start(), t.Context()
		ann, bob := s.User("ann"), s.User("bob")
		room := tea(t, ann, bob)
		data := noise(domain.FilePart, 5)
		var all sync.WaitGroup
		var ids [3]string
		for i := range ids {
			all.Go(func() {
				u, err := ann.UploadBytes(ctx, room, "leaves.bin", "key", data)
				if err != nil || u.State != "ready" || u.Size != domain.FilePart || u.Room != room || u.ExpiresAt == nil {
					t.Errorf("uploaded: %+v, %v", u, err)
				}
				ids[i] = u.ID
			})
		}
		all.Wait()
		if used, n := usedBy(t, ann); used != domain.FilePart || n != 1 || ids[0] != ids[1] || ids[1] != ids[2] {
			t.Errorf("by one key there are %d files of %d bytes: %v", n, used, ids)
		}
		for _, key := range []string{"&key=other", "", ""} { // the same content, and other files
			u, err := postFile(t, ann, room, "leaves.bin", key, data)
			must(t, err)
			must(t, ann.DeleteFile(ctx, u.ID))
		}
		if u, err := bob.UploadBytes(ctx, room, "b.txt", "key", []byte("bob's")); err != nil || u.Name != "b.txt" {
			t.Errorf("the same key of somebody else: %+v, %v", u, err)
		}
		_, err := ann.Send(ctx, client.Draft{Room: room, Files: []string{ids[0]}})
		must(t, err)
		var got bytes.Buffer
		if _, err := bob.Download(ctx, ids[0], 0, &got); err != nil || !bytes.Equal(got.Bytes(), data) {
			t.Errorf("bob got %d bytes of %d: %v", got.Len(), len(data), err)
		}
	})
}

// What is refused in one request says what to do, and leaves nothing.
func TestAFileInOneRequestIsRefused(t *testing.T) {
	t.Parallel()
	live.EachSetup(t, func(t *testing.T, start live.Starter) {
		s := start("UNHIDRA_FILE_STORAGE=3")
		ann, bob, eve := s.User("ann"), s.User("bob"), s.User("eve")
		room := tea(t, ann, bob)
		sum := fmt.Sprintf("%x", sha256.Sum256([]byte("other")))
		for name, c := range map[string]struct {
			who        *client.Client
			room, more string
			data       []byte
			want       client.Code
			says       string
		}{
			"empty":      {ann, room, "", []byte{}, client.CodeInvalidField, "choose another"},
			"too large":  {ann, room, "", make([]byte, domain.FilePart+1), client.CodeFileTooLarge, "POST /api/v1/files"},
			"quota":      {ann, room, "", make([]byte, 3<<20+1), client.CodeQuotaExceeded, "sort=size"},
			"other":      {ann, room, "&sha256=" + sum, []byte("one"), client.CodeUploadHash, sum},
			"no hash":    {ann, room, "&sha256=abc", []byte("one"), client.CodeInvalidField, "64"},
			"no key":     {ann, room, "&key=a+b", []byte("one"), client.CodeInvalidField, "UUID"},
			"no side":    {ann, room, "&width=-1", []byte("one"), client.CodeInvalidField, "pixels"},
			"a stranger": {eve, room, "", []byte("one"), client.CodeNoRoom, ""},
			"no room":    {ann, "x", "", []byte("one"), client.CodeNoRoom, ""},
		} {
			if _, err := postFile(t, c.who, c.room, "a.bin", c.more, c.data); codeOf(err) != c.want ||
				!strings.Contains(fmt.Sprint(err), c.says) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, err := postFile(t, ann, room, "/", "", []byte("a")); codeOf(err) != client.CodeInvalidField {
			t.Errorf("without a name: %v", err)
		}
		must(t, ann.Do(t.Context(), "PATCH", "/rooms/"+room, map[string]bool{"archived": true}, nil))
		if _, err := postFile(t, ann, room, "a", "", []byte("a")); codeOf(err) != client.CodeRoomArchived {
			t.Errorf("an archived room: %v", err)
		}
		for _, c := range []*client.Client{ann, eve} {
			if used, n := usedBy(t, c); used != 0 || n != 0 {
				t.Errorf("of what was refused there are %d bytes in %d files", used, n)
			}
		}
	})
}

// Of files that come at once in one request each, those are refused that would exceed the quota, also by the time when
// they are there.
func TestTheQuotaHoldsForFilesInOneRequest(t *testing.T) {
	t.Parallel()
	s := live.Start(t, testkit.SQLite(t), "UNHIDRA_FILE_STORAGE=2")
	ann, bob := s.User("ann"), s.User("bob")
	room := tea(t, ann, bob)
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			_, err := postFile(t, ann, room, fmt.Sprint(i), "", noise(1<<20, byte(i)))
			if err != nil && codeOf(err) != client.CodeQuotaExceeded {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if used, n := usedBy(t, ann); used != 2<<20 || n != 2 {
		t.Errorf("%d bytes in %d files", used, n)
	}
}

// A part that is not what was announced is refused at once, and can be sent again.
func TestAPartIsCheckedWhenItComes(t *testing.T) {
	t.Parallel()
	s := live.Start(t, testkit.SQLite(t))
	ann, bob := s.User("ann"), s.User("bob")
	room := tea(t, ann, bob)
	u, err := ann.BeginUpload(t.Context(), room, "a", 3)
	must(t, err)
	send := func(data, hash string) error {
		return ann.Do(t.Context(), "PUT", "/files/"+u.ID+"/parts/0?sha256="+hash, client.Bytes(data), nil)
	}
	sum := fmt.Sprintf("%x", sha256.Sum256([]byte("abc")))
	if err := send("abd", sum); codeOf(err) != client.CodeUploadHash {
		t.Errorf("another part: %v", err)
	}
	if err := send("abc", "abc"); codeOf(err) != client.CodeInvalidField {
		t.Errorf("no hash: %v", err)
	}
	if is, err := ann.Upload(t.Context(), u.ID); err != nil || len(is.Parts) != 0 {
		t.Errorf("what was refused is there: %+v, %v", is, err)
	}
	must(t, send("abc", sum))
	_, err = complete(t, ann, u.ID, "")
	must(t, err)
}
