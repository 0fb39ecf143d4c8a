package app_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/firmwaretest"
	"github.com/unhidra/unhidra/internal/testkit/live"
)

type ddiLinks map[string]struct{ Href string }

type ddiArtifact struct {
	Filename string
	Size     int
	Hashes   map[string]string
	Links    ddiLinks `json:"_links"`
}

func (p *pulling) base() string { return p.URL + "/DEFAULT/controller/v1/" + p.id }

// says sends a request of a client of hawkBit, and decodes the answer.
func (p *pulling) says(want int, method, url, body string, out any) {
	p.t.Helper()
	res, b := request(p.t, method, url, []byte(body), "Authorization", "TargetToken "+p.key, "Content-Type",
		"application/json")
	if res.StatusCode != want {
		p.t.Fatalf("%s %s: %s %s, want %d", method, url, res.Status, b, want)
	}
	if out != nil {
		must(p.t, json.Unmarshal(b, out))
	}
}

func (p *pulling) polls() ddiLinks {
	p.t.Helper()
	var out struct {
		Config struct{ Polling struct{ Sleep string } }
		Links  ddiLinks `json:"_links"`
	}
	p.says(http.StatusOK, "GET", p.base(), "", &out)
	if out.Config.Polling.Sleep != "00:05:00" {
		p.t.Errorf("it sleeps %q", out.Config.Polling.Sleep)
	}
	return out.Links
}

// deployment waits for a deployment, and returns its URL, without a query, and its only artifact.
func (p *pulling) deployment() (at string, a ddiArtifact) {
	p.t.Helper()
	var out struct {
		ID         string
		Deployment struct {
			Chunks []struct{ Artifacts []ddiArtifact }
		}
	}
	wait(p.t, func() bool { at = p.polls()["deploymentBase"].Href; return at != "" })
	p.says(http.StatusOK, "GET", at, "", &out)
	at, _, _ = strings.Cut(at, "?")
	if !strings.HasSuffix(at, "/"+out.ID) || len(out.Deployment.Chunks) != 1 {
		p.t.Fatalf("%s is %+v", at, out)
	}
	return at, out.Deployment.Chunks[0].Artifacts[0]
}

func ddiStatus(execution, finished, detail string) string {
	return fmt.Sprintf(`{"id":"1","time":"20261128T210000","status":{"execution":%q,"result":{"finished":%q,
		"progress":{}},"details":[%q]}}`, execution, finished, detail)
}

// A client of hawkBit goes through a deployment as hawkBit's documents have it, and what it says then that it runs
// decides.
func TestAClientOfHawkBitIsUpdatedByARollout(t *testing.T) {
	t.Parallel()
	live.Each(t, func(t *testing.T, s *live.Server) {
		t.Parallel()
		f := newFirm(t, s, s.User("ann"), "")
		image := append([]byte("hsqs"), randomBytes(400_000, 5)...)
		f.publish("1.0", 1, randomBytes(5000, 4))
		f.bring(f.publish("2.0", 2, image).ID)
		p := f.pulling("Gateway")
		config := p.polls()["configData"].Href
		p.says(http.StatusOK, "PUT", config, `{"mode":"merge","data":{"version":"1.0","mac":"aa:bb"}}`, nil)
		at, a := p.deployment()
		if a.Filename != "tank-2.0.raucb" || a.Size != len(image) || a.Hashes["md5"] != inMD5(image) ||
			len(a.Hashes["sha1"]) != 40 || len(a.Hashes["sha256"]) != 64 {
			t.Errorf("%+v", a)
		}
		p.says(http.StatusOK, "POST", at+"/feedback", ddiStatus("proceeding", "none", "begin"), nil)
		if p.state() != "accepted" {
			t.Errorf("after it has begun: %s", p.state())
		}
		res, b := request(t, "GET", a.Links["download"].Href, nil, "Authorization", "TargetToken "+p.key)
		if res.StatusCode != http.StatusOK || !bytes.Equal(b, image) {
			t.Errorf("the artifact: %s, %d bytes", res.Status, len(b))
		}
		p.becomes("downloading")
		p.says(http.StatusOK, "POST", at+"/feedback", ddiStatus("closed", "success", "done"), nil)
		if links := p.polls(); links["deploymentBase"].Href != "" || links["configData"].Href == "" {
			t.Errorf("after it was installed: %+v", links)
		}
		p.says(http.StatusOK, "PUT", config, `{"mode":"merge","data":{"version":"2.0"}}`, nil)
		p.becomes("succeeded")
		p.says(http.StatusGone, "POST", at+"/feedback", ddiStatus("closed", "failure", "late"), nil)
	})
}

// A failure counts at once, and so does what is taken back.
func TestDDIActionsAreTheirDevicesOwnAndEnd(t *testing.T) {
	t.Parallel()
	s := live.Start(t, testkit.SQLite(t), firmwaretest.Quick)
	f := newFirm(t, s, s.User("ann"), "")
	rollout := f.bring(f.publish("2.0", 2, randomBytes(5000, 5)).ID)
	p, other := f.pulling("Gateway"), f.pulling("Another")
	at, a := p.deployment()
	foreign, _ := other.deployment()
	_, number, _ := strings.Cut(foreign, "/deploymentBase/")
	p.says(http.StatusNotFound, "POST", p.base()+"/deploymentBase/"+number+"/feedback",
		ddiStatus("closed", "success", ""), nil)
	p.says(http.StatusNotFound, "GET", p.base()+"/deploymentBase/"+number, "", nil)
	p.says(http.StatusNotFound, "GET", other.base(), "", nil)
	p.says(http.StatusBadRequest, "POST", at+"/feedback", ddiStatus("exploded", "none", ""), nil)
	p.says(http.StatusBadRequest, "POST", at+"/feedback", `{`, nil)
	p.says(http.StatusConflict, "POST", strings.Replace(at, "deploymentBase", "cancelAction", 1)+"/feedback",
		ddiStatus("closed", "success", ""), nil)

	act := func(action string) {
		must(t, f.c.Do(t.Context(), "POST", "/firmware/rollouts/"+rollout+"/actions", map[string]any{"action": action}, nil))
	}
	act("pause")
	var stop struct{ CancelAction struct{ StopID string } }
	cancel := p.polls()["cancelAction"].Href
	p.says(http.StatusOK, "GET", cancel, "", &stop)
	if !strings.HasSuffix(at, "/"+stop.CancelAction.StopID) {
		t.Errorf("%s is to stop, and it is at %s", stop.CancelAction.StopID, at)
	}
	p.says(http.StatusNotFound, "GET", at, "", nil)
	if res, _ := request(t, "GET", a.Links["download"].Href, nil, "Authorization", "TargetToken "+p.key); res.StatusCode !=
		http.StatusNotModified {
		t.Errorf("the artifact of a canceled action: %s", res.Status)
	}
	p.says(http.StatusOK, "POST", cancel+"/feedback", ddiStatus("closed", "success", ""), nil)
	if links := p.polls(); links["cancelAction"].Href != "" {
		t.Errorf("it is canceled again: %+v", links)
	}
	act("resume")
	again, _ := p.deployment()
	if again == at {
		t.Error("a new offer has the number of the old one")
	}
	p.says(http.StatusOK, "POST", again+"/feedback", ddiStatus("closed", "success", ""), nil)
	p.becomes("installing")
	p.says(http.StatusOK, "POST", again+"/feedback", ddiStatus("closed", "failure", "no space"), nil)
	p.becomes("failed")
}

// What a device says of itself is kept as it says it, within limits.
func TestWhatADDIDeviceSaysOfItselfIsKept(t *testing.T) {
	t.Parallel()
	s := live.Start(t, testkit.SQLite(t), firmwaretest.Quick)
	f := newFirm(t, s, s.User("ann"), "")
	p := f.pulling("Gateway")
	config := p.base() + "/configData"
	p.says(http.StatusRequestEntityTooLarge, "PUT", config, `{"data":{"a":"`+strings.Repeat("x", 40<<10)+`"}}`, nil)
	p.says(http.StatusBadRequest, "PUT", config, `{"data":{"a":"`+strings.Repeat("x", 300)+`"}}`, nil)
	many := map[string]string{}
	for i := range 101 {
		many[fmt.Sprint(i)] = "x"
	}
	body, err := json.Marshal(map[string]any{"data": many})
	must(t, err)
	p.says(http.StatusBadRequest, "PUT", config, string(body), nil)
	p.says(http.StatusOK, "PUT", config, `{"data":{"build":20261128}}`, nil)
	var shown struct{ Says map[string]string }
	must(t, f.c.Do(t.Context(), "GET", "/devices/"+p.id+"/ota", nil, &shown))
	if shown.Says["build"] != "20261128" {
		t.Errorf("it has said %v", shown.Says)
	}
}

// The client of RAUC for hawkBit (rauc-hawkbit of PyPI) goes through a deployment.
func TestTheRAUCClientIsUpdatedByARollout(t *testing.T) {
	t.Parallel()
	library := filepath.Join("..", "..", "bin", "hawkbit")
	if _, err := os.Stat(filepath.Join(library, "aiohttp")); err != nil {
		t.Skip("rauc-hawkbit is not in bin/hawkbit (.ci/tools puts it there): the client of RAUC is not tried")
	}
	s := live.Start(t, testkit.SQLite(t), firmwaretest.Quick)
	f := newFirm(t, s, s.User("ann"), "")
	image := randomBytes(300_000, 5)
	f.bring(f.publish("2.0", 2, image).ID)
	p := f.pulling("Gateway")
	p.deployment()
	to := filepath.Join(t.TempDir(), "bundle")
	cmd := exec.CommandContext(t.Context(), "python3", "testdata/ddi_client.py", strings.TrimPrefix(s.URL, "http://"),
		p.key, p.id, to)
	cmd.Env = append(os.Environ(), "PYTHONPATH="+library)
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "ok "+inMD5(image)) {
		t.Fatalf("%v\n%s", err, out)
	}
	p.becomes("installing")
}
