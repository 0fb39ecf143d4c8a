package domain

import "testing"

func TestAnImageIsForRevisionsOfAChip(t *testing.T) {
	t.Parallel()
	r := Release{Images: []FirmwareImage{
		{SHA256: "old", Chip: "esp32", RevisionMax: 99}, {SHA256: "new", Chip: "esp32", RevisionMin: 100, RevisionMax: 399},
		{SHA256: "other", Chip: "esp32c3", RevisionMax: MaxRevision},
	}}
	for _, c := range []struct {
		chip     string
		revision int
		want     string
	}{{"esp32", 0, "old"}, {"esp32", 99, "old"}, {"esp32", 100, "new"}, {"esp32", 399, "new"}, {"esp32", 400, ""},
		{"esp32c3", 4, "other"}, {"esp32s3", 0, ""}} {
		if i, _ := r.ImageFor(c.chip, c.revision); i.SHA256 != c.want {
			t.Errorf("%s of revision %d: %q", c.chip, c.revision, i.SHA256)
		}
	}
}

func TestReleasesWithoutSenseAreRefused(t *testing.T) {
	t.Parallel()
	good := Release{Version: "2.4.1", Code: 7, MinCode: 7, AllowDowngradeTo: 7, Notes: " one\r\ntwo "}
	if r, err := CheckRelease(good); err != nil || r.Notes != "one\ntwo" {
		t.Errorf("%q, %v", r.Notes, err)
	}
	for name, change := range map[string]func(*Release){
		"no version": func(r *Release) { r.Version = "" }, "a blank in the version": func(r *Release) { r.Version = "2 4" },
		"no code": func(r *Release) { r.Code = 0 }, "replaces what is newer": func(r *Release) { r.MinCode = 8 },
		"counts as newer": func(r *Release) { r.AllowDowngradeTo = 8 },
	} {
		r := good
		change(&r)
		if _, err := CheckRelease(r); CodeOf(err) != CodeInvalidField {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTheNameOfAProductIsThatOfItsImages(t *testing.T) {
	t.Parallel()
	for name, good := range map[string]bool{"greenhouse": true, "Tank_2.x-y": true, "": false, ".x": false, "a b": false,
		"ä": false} {
		if _, err := CheckProduct(Product{Name: name}); (err == nil) != good {
			t.Errorf("%q: %v", name, err)
		}
	}
}
