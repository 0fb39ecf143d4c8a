package app_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/espimage/imagetest"
	"github.com/unhidra/unhidra/internal/manifest"
	"github.com/unhidra/unhidra/internal/testkit/live"
)

func (f *firm) upload(kind string, file []byte) (client.FirmwareUpload, error) {
	f.t.Helper()
	return f.c.UploadFirmware(f.t.Context(), f.product, kind, bytes.NewReader(file), int64(len(file)), nil)
}

func (f *firm) newRelease(version string, code int) (r firmwareRelease, err error) {
	f.t.Helper()
	return r, f.c.Do(f.t.Context(), "POST", "/firmware/products/"+f.product+"/releases",
		map[string]any{"version": version, "version_code": code}, &r)
}

func (f *firm) attach(release string, image map[string]any) (r firmwareRelease, err error) {
	f.t.Helper()
	return r, f.c.Do(f.t.Context(), "POST", "/firmware/releases/"+release+"/images", image, &r)
}

func finding(u client.FirmwareUpload) (codes []string) {
	if u.Image != nil {
		for _, f := range u.Image.Findings {
			codes = append(codes, f.Level+" "+f.Code)
		}
	}
	return codes
}

// What an image is, and what is wrong with it, is said as soon as it is there. What cannot run is never part of a
// release.
func TestAnUploadSaysWhatAnImageIsAndWhatIsWrongWithIt(t *testing.T) {
	t.Parallel()
	live.Each(t, func(t *testing.T, s *live.Server) {
		f := newFirm(t, s, s.User("ann"), "")
		elf := []byte("this is no ELF file")
		app := imagetest.App{ChipID: 5, Project: "tank", Version: "2.0", SDK: "v6.1", ELF: sha256.Sum256(elf),
			Code: imagetest.Code(4096, 1)}
		build := func(change func(*imagetest.App)) []byte {
			a := app
			change(&a)
			return imagetest.Build(a)
		}
		good := build(func(*imagetest.App) {})
		r, err := f.newRelease("2.0", 20)
		must(t, err)
		u, err := f.upload("image", good)
		must(t, err)
		if u.Image == nil || u.Image.Chip != "esp32c3" || u.Image.Project != "tank" || u.Image.Version != "2.0" ||
			strings.Contains(strings.Join(finding(u), " "), "error") {
			t.Fatalf("a good image: %+v", u.Image)
		}
		broken := bytes.Clone(good)
		broken[2000] ^= 1
		for name, c := range map[string]struct {
			file []byte
			want string
		}{
			"truncated":       {good[:3000], "error truncated"},
			"a flipped bit":   {broken, "error bad_checksum"},
			"another project": {build(func(a *imagetest.App) { a.Project = "oven" }), "error wrong_project"},
			"an unknown chip": {build(func(a *imagetest.App) { a.ChipID = 0x77 }), "error unknown_chip"},
			"one-way door":    {build(func(a *imagetest.App) { a.SecureVersion = 3 }), "warning high_secure_version"},
		} {
			u, err := f.upload("image", c.file)
			must(t, err)
			if got := strings.Join(finding(u), ", "); !strings.Contains(got, c.want) {
				t.Errorf("%s: %s", name, got)
			}
			_, err = f.attach(r.ID, map[string]any{"upload": u.ID})
			if strings.HasPrefix(c.want, "error") != (codeOf(err) == client.CodeBadImage) {
				t.Errorf("%s becomes part of a release: %v", name, err)
			}
			if err == nil {
				must(t, f.c.Do(t.Context(), "DELETE", "/firmware/releases/"+r.ID+"/images/"+u.SHA256, nil, nil))
			}
		}
		other, err := f.upload("image", build(func(a *imagetest.App) { a.Version = "2.1" }))
		must(t, err)
		for name, c := range map[string]struct {
			image map[string]any
			want  client.Code
		}{
			"another version": {map[string]any{"upload": other.ID}, client.CodeBadImage},
			"another chip":    {map[string]any{"upload": u.ID, "chip": "esp32"}, client.CodeBadImage},
			"no upload":       {map[string]any{"upload": "upl_x"}, client.CodeNoUpload},
		} {
			if _, err := f.attach(r.ID, c.image); codeOf(err) != c.want {
				t.Errorf("%s: %v", name, err)
			}
		}
		_, err = f.attach(r.ID, map[string]any{"upload": u.ID, "revision_max": 3})
		must(t, err)
		again, err := f.upload("image", build(func(a *imagetest.App) { a.Code = imagetest.Code(4096, 2) }))
		must(t, err)
		if _, err := f.attach(r.ID, map[string]any{"upload": again.ID}); codeOf(err) != client.CodeImageOverlaps {
			t.Errorf("two images for one revision: %v", err)
		}
		_, err = f.attach(r.ID, map[string]any{"upload": again.ID, "revision_min": 4})
		must(t, err)
		factoryImages(f, r.ID, u.SHA256, good, again)
		hidden, err := f.upload("raw", []byte("\x7fELF, and not what a device of another kind runs"))
		must(t, err)
		if got := strings.Join(finding(hidden), ", "); got != "error elf" {
			t.Errorf("an ELF file as a raw image: %s", got)
		}
		if _, err := f.upload("elf", elf); codeOf(err) != client.CodeBadImage {
			t.Errorf("no ELF file: %v", err)
		}
	})
}

// factoryImages adds a factory image to an image of a release, which is good, and others in vain.
func factoryImages(f *firm, release, hash string, good []byte, image client.FirmwareUpload) {
	t, at := f.t, "/firmware/releases/"+release+"/images/"+hash+"/factory"
	put := func(kind string, file []byte) (string, error) {
		u, err := f.upload(kind, file)
		must(t, err)
		return u.SHA256, f.c.Do(t.Context(), "PUT", at, map[string]any{"upload": u.ID}, nil)
	}
	whole := imagetest.Factory(5, 0, good)
	other := imagetest.Build(imagetest.App{ChipID: 5, Project: "tank", Version: "2.0"})
	for name, c := range map[string]struct {
		kind string
		file []byte
	}{
		"cut off":                 {"factory", whole[:len(whole)-100]},
		"no factory image":        {"raw", whole},
		"with another image":      {"factory", imagetest.Factory(5, 0, other)},
		"of a bootloader too far": {"factory", imagetest.Factory(5, 0x1000, good)},
	} {
		if _, err := put(c.kind, c.file); codeOf(err) != client.CodeBadImage {
			t.Errorf("%s: %v", name, err)
		}
	}
	factory, err := put("factory", whole)
	must(t, err)
	var r struct {
		Images []struct {
			SHA256  string
			Factory *struct {
				SHA256, URL string
				Info        client.ImageInfo
			}
		}
	}
	must(t, f.c.Do(t.Context(), "GET", "/firmware/releases/"+release, nil, &r))
	is := r.Images[0].Factory
	if r.Images[0].SHA256 != hash || is == nil || is.SHA256 != factory || len(is.Info.Parts) != 4 ||
		is.Info.FlashSize != 0x220000 || r.Images[1].Factory != nil {
		t.Fatalf("%+v", r.Images)
	}
	if res, got := load(t, is.URL, "", ""); res.StatusCode != 200 || !bytes.Equal(got, whole) {
		t.Errorf("by its link: %s, %d bytes", res.Status, len(got))
	}
	must(t, f.c.Do(t.Context(), "DELETE", at, nil, nil))
	if err := f.c.Do(t.Context(), "PUT", at, map[string]any{"upload": image.ID}, nil); codeOf(err) != client.CodeNoUpload {
		t.Errorf("by an upload that a release has: %v", err)
	}
}

// An image that ends after any KiB is in no release: it is found by what it is, if the sender takes it for whole, and
// otherwise the upload waits for the rest.
func TestAnImageThatIsCutOffAfterAnyKiBIsInNoRelease(t *testing.T) {
	t.Parallel()
	live.Each(t, func(t *testing.T, s *live.Server) {
		f := newFirm(t, s, s.User("ann"), "")
		whole := imagetest.Build(imagetest.App{ChipID: 5, Project: "tank", Version: "2.0", SDK: "v6.1",
			ELF: sha256.Sum256(nil), Code: imagetest.Code(8<<10, 1)})
		r, err := f.newRelease("2.0", 20)
		must(t, err)
		sum := sha256.Sum256(whole)
		var u client.FirmwareUpload
		must(t, f.c.Do(t.Context(), "POST", "/firmware/products/"+f.product+"/uploads", map[string]any{"kind": "image",
			"size": len(whole), "sha256": hex.EncodeToString(sum[:])}, &u))
		complete := func() error {
			return f.c.Do(t.Context(), "POST", "/firmware/uploads/"+u.ID+"/complete", nil, &u)
		}
		for n := 0; n < len(whole); n += 1 << 10 {
			if err := complete(); codeOf(err) != client.CodeUploadOpen {
				t.Errorf("%d bytes are taken for the whole: %v", n, err)
			}
			at := fmt.Sprintf("/firmware/uploads/%s/parts/%d", u.ID, n)
			must(t, f.c.Do(t.Context(), "PUT", at, client.Bytes(whole[n:min(n+1<<10, len(whole))]), &u))
			if n == 0 {
				continue
			}
			cut, err := f.upload("image", whole[:n])
			must(t, err)
			if got := strings.Join(finding(cut), ", "); got != "error truncated" {
				t.Errorf("cut off after %d bytes: %s", n, got)
			}
			if _, err := f.attach(r.ID, map[string]any{"upload": cut.ID}); codeOf(err) != client.CodeBadImage {
				t.Errorf("cut off after %d bytes it becomes part of a release: %v", n, err)
			}
		}
		must(t, complete())
		_, err = f.attach(r.ID, map[string]any{"upload": u.ID})
		must(t, err)
	})
}

// A version is of one release, and of one image for each chip and revision, for as long as the product is there.
func TestOfTwoImagesWithOneVersionTheSecondIsRefused(t *testing.T) {
	t.Parallel()
	live.Each(t, func(t *testing.T, s *live.Server) {
		f := newFirm(t, s, s.User("ann"), "")
		first := f.draft("2.0", 20, randomBytes(5000, 1))
		second, err := f.upload("raw", randomBytes(5000, 2))
		must(t, err)
		refused := func(when string, want client.Code) {
			t.Helper()
			image := map[string]any{"upload": second.ID, "chip": "esp32c3"}
			if _, err := f.attach(first.ID, image); codeOf(err) != want {
				t.Errorf("a second image of a release that is %s: %v", when, err)
			}
			if _, err := f.newRelease("2.0", 21); codeOf(err) != client.CodeReleaseExists {
				t.Errorf("the version of one that is %s comes twice: %v", when, err)
			}
			if _, err := f.newRelease("2.0b", 20); codeOf(err) != client.CodeReleaseExists {
				t.Errorf("the version code of one that is %s comes twice: %v", when, err)
			}
		}
		refused("a draft", client.CodeImageOverlaps)
		_, err = f.sign(first.ID, f.release)
		must(t, err)
		refused("signed", client.CodeReleaseFixed)
		for _, state := range []string{"active", "withdrawn"} {
			_, err = f.change(first.ID, map[string]any{"state": state})
			must(t, err)
			refused(state, client.CodeReleaseFixed)
		}
	})
}

// A file that changes on its way, or whose parts come in another order, is not taken.
func TestAnUploadThatIsNotWhatWasAnnouncedIsRefused(t *testing.T) {
	t.Parallel()
	live.Each(t, func(t *testing.T, s *live.Server) {
		ann, bob := s.User("ann"), s.User("bob")
		f := newFirm(t, s, ann, "")
		ctx, at := t.Context(), "/firmware/products/"+f.product+"/uploads"
		var u client.FirmwareUpload
		must(t, ann.Do(ctx, "POST", at, map[string]any{"kind": "raw", "size": 10, "sha256": noFile}, &u))
		part := func(c *client.Client, start, data string) error {
			return c.Do(ctx, "PUT", "/firmware/uploads/"+u.ID+"/parts/"+start, client.Bytes(data), &u)
		}
		complete := func() error { return ann.Do(ctx, "POST", "/firmware/uploads/"+u.ID+"/complete", nil, nil) }
		must(t, part(ann, "0", "0123"))
		if err := part(ann, "0", "0123"); codeOf(err) != client.CodeUploadOffset {
			t.Errorf("the same part again: %v", err)
		}
		if err := part(ann, "6", "0123"); codeOf(err) != client.CodeUploadOffset {
			t.Errorf("a gap: %v", err)
		}
		if err := part(bob, "4", "0123"); codeOf(err) != client.CodeNoUpload {
			t.Errorf("by another: %v", err)
		}
		if err := part(ann, "4", "456789a"); codeOf(err) != client.CodeFileTooLarge {
			t.Errorf("more than announced: %v", err)
		}
		if err := complete(); codeOf(err) != client.CodeUploadOpen {
			t.Errorf("completed too early: %v", err)
		}
		must(t, part(ann, "4", "456789"))
		if u.Received != 10 {
			t.Errorf("%d bytes are there", u.Received)
		}
		if err := complete(); codeOf(err) != client.CodeUploadHash {
			t.Errorf("another file than announced: %v", err)
		}
		if err := complete(); codeOf(err) != client.CodeNoUpload {
			t.Errorf("it is still there: %v", err)
		}
	})
}

// Members of a product's room see it, administrators manage its releases, and its keys are its owner's.
func TestTheRoomOfAProductManagesItsReleases(t *testing.T) {
	t.Parallel()
	live.Each(t, func(t *testing.T, s *live.Server) {
		ctx := t.Context()
		ann, bob, cy, eve := s.User("ann"), s.User("bob"), s.User("cy"), s.User("eve")
		room, err := ann.CreateRoom(ctx, client.NewRoom{Kind: "private", Name: "Firmware"})
		must(t, err)
		joins(t, ann, bob, room.ID)
		joins(t, ann, cy, room.ID)
		admin, err := bob.Me(ctx)
		must(t, err)
		must(t, ann.Do(ctx, "PATCH", "/rooms/"+room.ID+"/members/"+admin.ID, map[string]string{"role": "admin"}, nil))
		f := newFirm(t, s, ann, room.ID)
		at := "/firmware/products/" + f.product
		draft := map[string]any{"version": "1", "version_code": 1}
		if err := cy.Do(ctx, "POST", at+"/releases", draft, nil); codeOf(err) != client.CodeNotYourProduct {
			t.Errorf("a member makes a release: %v", err)
		}
		if err := eve.Do(ctx, "POST", at+"/releases", draft, nil); codeOf(err) != client.CodeNoProduct {
			t.Errorf("a stranger makes a release: %v", err)
		}
		var r firmwareRelease
		must(t, bob.Do(ctx, "POST", at+"/releases", draft, &r))
		if err := bob.Do(ctx, "DELETE", at, nil, nil); codeOf(err) != client.CodeNotYourProduct {
			t.Errorf("an administrator of the room deletes the product: %v", err)
		}
		var seen struct{ Right string }
		must(t, cy.Do(ctx, "GET", at, nil, &seen))
		must(t, cy.Do(ctx, "GET", "/firmware/releases/"+r.ID, nil, &r))
		if seen.Right != "see" || r.State != "draft" {
			t.Errorf("a member sees %+v, %+v", seen, r)
		}
		if err := eve.Do(ctx, "GET", "/firmware/releases/"+r.ID, nil, nil); codeOf(err) != client.CodeNoRelease {
			t.Errorf("a stranger sees a release: %v", err)
		}
		if err := eve.Do(ctx, "POST", "/firmware/products", map[string]string{"name": "x", "room": room.ID},
			nil); codeOf(err) != client.CodeNoRoom {
			t.Errorf("a stranger names the room: %v", err)
		}
	})
}

// Only who runs a room puts products into it, and they are in it as long as their owner runs it.
func TestWhoRunsARoomDecidesWhichProductsAreInIt(t *testing.T) {
	t.Parallel()
	live.Each(t, func(t *testing.T, s *live.Server) {
		ctx := t.Context()
		ann, bob := s.User("ann"), s.User("bob")
		room, err := ann.CreateRoom(ctx, client.NewRoom{Kind: "private", Name: "Lamps"})
		must(t, err)
		joins(t, ann, bob, room.ID)
		him, err := bob.Me(ctx)
		must(t, err)
		named := map[string]string{"name": "lamp", "room": room.ID}
		if err := bob.Do(ctx, "POST", "/firmware/products", named, nil); codeOf(err) != client.CodeRoleTooLow {
			t.Errorf("a member makes a product of the room: %v", err)
		}
		var p struct{ ID, Room string }
		must(t, bob.Do(ctx, "POST", "/firmware/products", map[string]string{"name": "lamp"}, &p))
		at := "/firmware/products/" + p.ID
		into := map[string]string{"room": room.ID}
		if err := bob.Do(ctx, "PATCH", at, into, nil); codeOf(err) != client.CodeRoleTooLow {
			t.Errorf("a member puts a product into the room: %v", err)
		}
		role := func(role string) {
			must(t, ann.Do(ctx, "PATCH", "/rooms/"+room.ID+"/members/"+him.ID, map[string]string{"role": role}, nil))
		}
		role("admin")
		must(t, bob.Do(ctx, "PATCH", at, into, &p))
		sees := func(when string, want bool) {
			t.Helper()
			var list client.Page[struct{ ID string }]
			must(t, ann.Do(ctx, "GET", "/firmware/products", nil, &list))
			err := ann.Do(ctx, "GET", at, nil, nil)
			if (len(list.Items) == 1) != want || (err == nil) != want {
				t.Errorf("%s the room's owner sees %+v, %v", when, list.Items, err)
			}
		}
		sees("while his is an administrator,", true)
		role("member")
		sees("when he is none,", false)
		role("admin")
		must(t, bob.Do(ctx, "POST", "/rooms/"+room.ID+"/leave", nil, nil))
		sees("when he has left,", false)
		p.Room = ""
		must(t, bob.Do(ctx, "GET", at, nil, &p))
		if p.Room != "" {
			t.Errorf("his product is still in the room %s", p.Room)
		}
	})
}

// Each root is signed by the one before, and a key that the newest one leaves out makes no release active.
func TestAKeyThatTheRootLeavesOutActivatesNothing(t *testing.T) {
	t.Parallel()
	live.Each(t, func(t *testing.T, s *live.Server) {
		f := newFirm(t, s, s.User("ann"), "")
		r := f.draft("1.0", 1, []byte("an image"))
		_, err := f.sign(r.ID, f.release)
		must(t, err)
		lost := f.release
		f.release = newSigner(t)
		if _, err := f.tryRoot(2, newSigner(t)); codeOf(err) != client.CodeBadDocument {
			t.Errorf("a root that the one before has not signed: %v", err)
		}
		if _, err := f.tryRoot(3, f.root); codeOf(err) != client.CodeBadDocument {
			t.Errorf("a gap between roots: %v", err)
		}
		_, err = f.tryRoot(2, f.root)
		must(t, err)
		if _, err := f.change(r.ID, map[string]any{"state": "active"}); codeOf(err) != client.CodeNotSigned {
			t.Errorf("activated with a lost key: %v", err)
		}
		if _, err := f.sign(r.ID, lost); codeOf(err) != client.CodeBadSignature {
			t.Errorf("signed with a lost key: %v", err)
		}
		if r, err = f.sign(r.ID, f.release); err != nil || len(r.SignedBy) != 2 {
			t.Errorf("%+v, %v", r, err)
		}
		_, err = f.change(r.ID, map[string]any{"state": "active"})
		must(t, err)
	})
}

// A manifest that says something else of a release is not taken, whoever has signed it.
func TestAForgedManifestIsRefused(t *testing.T) {
	t.Parallel()
	live.Each(t, func(t *testing.T, s *live.Server) {
		f := newFirm(t, s, s.User("ann"), "")
		r := f.draft("1.0", 1, []byte("an image"))
		at := "/firmware/releases/" + r.ID + "/manifest"
		var e manifest.Envelope
		must(t, f.c.Do(t.Context(), "GET", at, nil, &e))
		for name, change := range map[string]func(*manifest.Manifest){
			"another image":   func(m *manifest.Manifest) { m.Images[0].SHA256 = noFile },
			"another chip":    func(m *manifest.Manifest) { m.Images[0].Chip = "esp32" },
			"a higher code":   func(m *manifest.Manifest) { m.VersionCode = 99 },
			"a downgrade":     func(m *manifest.Manifest) { m.AllowDowngradeTo = 1 },
			"another product": func(m *manifest.Manifest) { m.Product = "oven" },
		} {
			m, err := manifest.ReadManifest(&e)
			must(t, err)
			change(m)
			forged, err := m.Seal()
			must(t, err)
			must(t, forged.Sign(f.release))
			if err := f.c.Do(t.Context(), "PUT", at, forged, nil); codeOf(err) != client.CodeBadDocument {
				t.Errorf("%s: %v", name, err)
			}
		}
		must(t, e.Sign(f.release))
		e.Payload = append(e.Payload, ' ')
		if err := f.c.Do(t.Context(), "PUT", at, e, nil); codeOf(err) != client.CodeBadSignature {
			t.Errorf("changed after it was signed: %v", err)
		}
	})
}
