package device

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

// imported imports a file, and returns a line "number result device-name error" for each line of it.
func imported(t *testing.T, s *Service, owner, file string, how Import) (lines []string, keys map[string]string) {
	t.Helper()
	keys = make(map[string]string)
	err := s.Import(t.Context(), owner, how, ReadRows(strings.NewReader(file)), func(d Imported) error {
		line := fmt.Sprintf("%d %s %s", d.Line, d.Result, d.Name)
		if d.Err != nil {
			line += ": " + d.Err.Error()
		}
		lines = append(lines, line)
		if d.Key != "" {
			keys[d.Name] = d.Key
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return lines, keys
}

func wantLines(t *testing.T, got []string, want ...string) {
	t.Helper()
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestImportingAgainMakesNoDoubles(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		s, a := open(t, db)
		ann := idOf(t, db, "ann")
		const file = "serial,name,tags\nA-1,Pump,wet\n,Door,\nA-2,Pump,\n"
		lines, keys := imported(t, s, ann, file, Import{})
		wantLines(t, lines, "2 created Pump", "3 created Door", "4 created Pump")
		if _, err := s.AuthenticateDevice(t.Context(), keys["Door"], here); err != nil {
			t.Error(err)
		}
		if said := strings.Join(a.said(), ","); said != "device.register user,device.register user,device.register user" {
			t.Errorf("recorded %s", said)
		}
		lines, again := imported(t, s, ann, file, Import{})
		wantLines(t, lines, "2 unchanged Pump", "3 unchanged Door", "4 unchanged Pump")
		if len(again) != 0 {
			t.Errorf("devices that were there got keys %v", again)
		}
		// A serial number finds the device whatever its name; a name gives one without it a serial number.
		lines, _ = imported(t, s, ann, "serial,name,tags\nA-1,Pump 1,\nD-1,Door,front\n", Import{})
		wantLines(t, lines, "2 updated Pump 1", "3 updated Door")
		found, err := db.Devices.Devices(t.Context(), ann, "", 10)
		if err != nil || len(found) != 3 {
			t.Fatalf("%d devices, %v", len(found), err)
		}
		named := make(map[string]domain.Device)
		for _, d := range found {
			named[d.Name] = d
		}
		if d := named["Pump 1"]; len(d.Tags) != 1 || d.Serial != "A-1" {
			t.Errorf("an empty cell changed a device: %+v", d)
		}
		if d := named["Door"]; d.Serial != "D-1" || len(d.Tags) != 1 {
			t.Errorf("the door is %+v", d)
		}
		// What the device tells counts where its owner has given no number.
		said := domain.Capabilities{Serial: "X-9"}
		made, err := s.Register(t.Context(), ann, Registration{Name: "Told"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.Devices.Describe(t.Context(), made.Device.ID, said, time.Now()); err != nil {
			t.Fatal(err)
		}
		lines, _ = imported(t, s, ann, `{"serial":"X-9","type":"fan"}`, Import{})
		wantLines(t, lines, "1 updated Told")
		// A device that was revoked is registered anew.
		if err := db.Devices.RevokeDevice(t.Context(), made.Device.ID, "lost", time.Now()); err != nil {
			t.Fatal(err)
		}
		lines, _ = imported(t, s, ann, `{"serial":"X-9","name":"Told"}`, Import{})
		wantLines(t, lines, "1 created Told")
	})
}

func TestImportGivesNewKeysToDevicesThatNeverConnectedOrHaveNoneLeft(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		s, _ := open(t, db)
		ann := idOf(t, db, "ann")
		const file = "name\nNew\nUsed\nJust now\n"
		_, lost := imported(t, s, ann, file, Import{})
		id, _ := keyID(lost["Used"])
		err := db.Devices.UsedDeviceKeys(t.Context(), []domain.DeviceUse{{Key: id, At: time.Now()}})
		if err != nil {
			t.Fatal(err)
		}
		p, err := s.AuthenticateDevice(t.Context(), lost["Just now"], here)
		if err != nil {
			t.Fatal(err)
		}
		s.DeviceConnected(t.Context(), "conn", p, here, time.Now) // of which the store learns later
		lines, keys := imported(t, s, ann, file, Import{NewKeys: true})
		wantLines(t, lines, "2 new_key New", "3 unchanged Used", "4 unchanged Just now")
		for _, key := range []string{keys["New"], lost["New"], lost["Used"]} {
			if _, err := s.AuthenticateDevice(t.Context(), key, here); err != nil {
				t.Error(err)
			}
		}
		if err := s.Revoke(t.Context(), userActor(ann), p.ID, ""); err != nil { // for good: another of the name is made
			t.Fatal(err)
		}
		used, err := s.AuthenticateDevice(t.Context(), lost["Used"], here)
		if err == nil {
			err = s.Revoke(t.Context(), userActor(ann), used.ID, id)
		}
		if err != nil {
			t.Fatal(err)
		}
		lines, keys = imported(t, s, ann, "name\nUsed\nJust now\n", Import{NewKeys: true})
		wantLines(t, lines, "2 new_key Used", "3 created Just now")
		if again, err := s.AuthenticateDevice(t.Context(), keys["Used"], here); err != nil || again.ID != used.ID {
			t.Errorf("with its new key it is %s, %v", again.ID, err)
		}
	})
}

func TestImportSaysWhatIsWrongWithALine(t *testing.T) {
	t.Parallel()
	db := testkit.Open(t, testkit.SQLite(t))
	s, _ := open(t, db)
	s.Max = 3
	ann := idOf(t, db, "ann")
	for range 2 {
		if _, err := s.Register(t.Context(), ann, Registration{Name: "Twin"}); err != nil {
			t.Fatal(err)
		}
	}
	lines, _ := imported(t, s, ann, "\ufeffName;Serial;Tags;Expires\r\nA;1;;\r\n;;;\r\n;2;;\r\n;;x;\r\nB\r\nC;1;;\r\n"+
		"A;;;\r\nD;3;Not!;\r\nE;4;;yesterday\r\nF;5;;2001-01-01\r\nTwin;;;\r\n\"G\"x;6;;\r\nH;7;a, b;2099-12-31\r\n",
		Import{})
	wantLines(t, lines, "2 created A",
		"4 failed : no device of yours has this serial number; a new one needs a name",
		"5 failed : a line needs a name or a serial number",
		"6 failed : the line has 1 cells, and the first line 4",
		"7 failed C: line 2 has the same serial number",
		"8 failed A: line 2 has the same name; tell the devices apart by serial numbers",
		"9 failed D: a tag has 1 to 32 lower-case letters, digits, dots, hyphens or underscores",
		"10 failed E: write a day as 2030-12-31 or a time as 2030-12-31T08:00:00Z",
		"11 failed F: this time is past",
		"12 failed Twin: you have 2 devices of this name; tell them apart by serial numbers",
		"13 failed : "+errOpenQuote.Error(),
		"14 failed H: you have as many devices as one person may have (3); revoke one")
	lines, _ = imported(t, s, ann, `{"name":"A","serial":7}
{"name":"A"} {"name":"B"}

{"nam":"A"}`, Import{})
	wantLines(t, lines,
		"1 failed : write one JSON object in each line: serial must be a text, not a number",
		"2 failed : write one JSON object in each line: there is something after the value",
		`4 failed : write one JSON object in each line: there is no field "nam"`)
	lines, _ = imported(t, s, ann, `{"name":"A","expires":"2001-01-01"}
[]
{"name":"`+strings.Repeat("A", maxRecord)+`"}
`, Import{})
	wantLines(t, lines, "1 failed A: this time is past",
		"2 failed : write one JSON object in each line: it must be an object, not a list",
		"3 failed : the line has more than 64 KiB")
	lines, _ = imported(t, s, ann, "name,tags\n\"A\x1b[2J\u202e\","+strings.Repeat("x ", 40)+"\n"+strings.Repeat("B",
		5000), Import{})
	for _, line := range lines {
		if strings.ContainsAny(line, "\x1b\u202e") || len(line) > 400 {
			t.Errorf("an answer is %q", line)
		}
	}
}

func TestAMissingQuoteCostsItsOwnLineOfAnImport(t *testing.T) {
	t.Parallel()
	db := testkit.Open(t, testkit.SQLite(t))
	s, _ := open(t, db)
	ann := idOf(t, db, "ann")
	bad := " failed : " + errOpenQuote.Error()
	lines, _ := imported(t, s, ann,
		"name,notes,serial\nA,\"open,1\nB,,2\nC,\"two\nlines\",3\n\"D,,4\n\"E\",\"x\",5\n\nF,\"y\"z,6\n"+
			"G,"+strings.Repeat("x", maxRecord)+",7\nH,5\" pipe,8\nI,a \"\"b\"\" c,9\nJ,\"a \"\"b\"\" c\",10\nK,\"end", Import{})
	wantLines(t, lines, "2"+bad, "3 created B", "4 created C", "6"+bad, "7 created E", "9"+bad,
		"10 failed : the line has more than 64 KiB", "11"+bad, "12"+bad, "13 created J", "14"+bad)
	found, err := db.Devices.Devices(t.Context(), ann, "", 10)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range found {
		if d.Name == "C" && d.Notes != "two\nlines" {
			t.Errorf("the notes are %q", d.Notes)
		}
	}
}

func TestImportRefusesFilesThatItCannotRead(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]string{
		"\xff\xfen\x00":      "UTF-16",
		"":                   "is empty",
		"name,colour\nA,red": `no column "colour"`,
		"name,Name\nA,B":     "is there twice",
		"\"name\nA":          "not CSV",
		"name\n":             "no devices in it",
		"name\n" + strings.Repeat("A\n", importLines+1): "at most 10000 lines",
	} {
		_, err := readAll([]byte(file))
		if err == nil || !strings.Contains(err.Error(), want) || domain.KindOf(err) == domain.Internal {
			t.Errorf("%.20q: %v, want %q", file, err, want)
		}
	}
}

func TestImportEndsWithItsListener(t *testing.T) {
	t.Parallel()
	db := testkit.Open(t, testkit.SQLite(t))
	s, _ := open(t, db)
	ann := idOf(t, db, "ann")
	file := "name\n"
	for n := range 3 * importBatch {
		file += fmt.Sprintf("Device %d\n", n)
	}
	gone := errors.New("gone")
	err := s.Import(context.Background(), ann, Import{}, ReadRows(strings.NewReader(file)),
		func(Imported) error { return gone })
	found, _ := db.Devices.Devices(t.Context(), ann, "", 200)
	if !errors.Is(err, gone) || len(found) != importBatch {
		t.Errorf("%d devices after %v", len(found), err)
	}
}
