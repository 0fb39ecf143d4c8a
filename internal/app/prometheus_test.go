package app_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/mqtt/packet"
	"github.com/unhidra/unhidra/internal/testkit/live"
	"github.com/unhidra/unhidra/internal/testkit/mqtttest"
)

// askPrometheus sends a request as Grafana's data source does, and returns the answer.
func askPrometheus(
	t *testing.T, s *live.Server, method, path string, form url.Values, auth func(*http.Request),
) (status int, answer string) {
	t.Helper()
	to, body := "http://"+s.Public+"/api/prometheus/api/v1/"+path, io.Reader(nil)
	if method == http.MethodGet {
		to += "?" + form.Encode()
	} else {
		body = strings.NewReader(form.Encode())
	}
	req, err := http.NewRequestWithContext(t.Context(), method, to, body)
	if err != nil {
		t.Fatal(err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	auth(req)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

func TestGrafanaAsksAsItAsksPrometheus(t *testing.T) {
	t.Parallel()
	live.EachSetup(t, func(t *testing.T, start live.Starter) {
		s := start()
		ann, bob := s.User("ann"), s.User("bob")
		pump, other := registerDevice(t, ann, "Pump"), registerDevice(t, bob, "Other")
		key := registerController(t, ann, "Grafana").Key
		now := time.Now().Truncate(time.Minute)
		for _, d := range []issued{pump, other} {
			node := mqtttest.Must(t, s.MQTT, connectAs(packet.V5, "node", d.Key))
			var reports []string
			for i := range 60 {
				reports = append(reports, fmt.Sprintf(`{"at":%q,"readings":{"air":%d,"mode":"heat"}}`,
					now.Add(time.Duration(i-60)*10*time.Second).UTC().Format(time.RFC3339), i))
			}
			if code := node.Publish(packet.Publish{Topic: "uh/d/" + d.Device.ID + "/up", QoS: 1,
				Payload: []byte(`{"units":{"air":"Cel"},"reports":[` + strings.Join(reports,
					",") + `]}`)}); code != packet.Success {
				t.Fatalf("0x%02x", byte(code))
			}
		}
		controller := func(r *http.Request) { r.SetBasicAuth("grafana", key) }
		at := fmt.Sprint(now.Unix())
		span := url.Values{"start": {fmt.Sprint(now.Add(-5 * time.Minute).Unix())}, "end": {at}, "step": {"60"}}
		with := func(v url.Values, key string, values ...string) url.Values {
			out := url.Values{key: values}
			for k, of := range v {
				out[k] = of
			}
			return out
		}
		for _, c := range []struct {
			method, path string
			form         url.Values
			want         string
		}{
			{"POST", "query", url.Values{"query": {"1+1"}, "time": {at}}, `{"resultType":"scalar","result":[` + at + `,"2"]}`},
			{"GET", "query", url.Values{"query": {`reading{name="Pump"}`}, "time": {at}}, `{"resultType":"vector","result":[` +
				`{"metric":{"__name__":"reading","device":"` + pump.Device.ID +
				`","name":"Pump","series":"air","unit":"Cel"},"value":[` + at + `,"59"]}]}`},
			{"POST", "query_range", with(span, "query", `avg by (series) (avg_over_time(reading{series="air"}[1m]))`),
				`{"resultType":"matrix","result":[` +
					`{"metric":{"series":"air"},"values":[` +
					fmt.Sprintf(`[%d,"26.5"],[%d,"32.5"],[%d,"38.5"],[%d,"44.5"],[%d,"50.5"],[%d,"56.5"]`,
						now.Unix()-300, now.Unix()-240, now.Unix()-180, now.Unix()-120, now.Unix()-60, now.Unix()) + `]}]}`},
			{"POST", "query_range", with(span, "query",
				`topk(1, reading - reading offset 1m) + on (device) quantile_over_time(0.5, reading[2m])`),
				`{"resultType":"matrix","result":[{"metric":{"device":"` + pump.Device.ID + `"},"values":[` +
					fmt.Sprintf(`[%d,"29.5"],[%d,"35.5"],[%d,"41.5"],[%d,"47.5"],[%d,"53.5"],[%d,"59.5"]`,
						now.Unix()-300, now.Unix()-240, now.Unix()-180, now.Unix()-120, now.Unix()-60, now.Unix()) + `]}]}`},
			{"POST", "labels", span, `["__name__","device","name","series","unit"]`},
			{"GET", "label/series/values", with(span, "match[]", `reading{unit="Cel"}`), `["air"]`},
			{"GET", "label/name/values", span, `["Pump"]`},
			{"POST", "series", with(span, "match[]", `reading{device="`+pump.Device.ID+`"}`),
				`[{"__name__":"reading","device":"` + pump.Device.ID + `","name":"Pump","series":"air","unit":"Cel"}]`},
			{"GET", "series", with(span, "match[]", `reading{device="`+other.Device.ID+`"}`), `[]`},
			{"GET", "metadata", nil, `{"reading":[{"type":"gauge","help":"What sensors of devices measure.","unit":""}]}`},
		} {
			status, got := askPrometheus(t, s, c.method, c.path, c.form, controller)
			var answer struct {
				Status string
				Data   json.RawMessage
			}
			if err := json.Unmarshal([]byte(got), &answer); err != nil || status != 200 || answer.Status != "success" ||
				string(answer.Data) != c.want {
				t.Errorf("%s %s %v: %d %s; want %s", c.method, c.path, c.form["query"], status, got, c.want)
			}
		}
		for name, c := range map[string]struct {
			auth func(*http.Request)
			form url.Values
			want int
		}{
			"nobody":      {func(*http.Request) {}, url.Values{"query": {"1"}}, 401},
			"a wrong key": {func(r *http.Request) { r.SetBasicAuth("x", key+"x") }, url.Values{"query": {"1"}}, 401},
			"a device": {func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+pump.Key) },
				url.Values{"query": {"1"}}, 403},
			"what is not known":  {controller, url.Values{"query": {"stddev(reading)"}}, 400},
			"a time that is not": {controller, url.Values{"query": {"1"}, "time": {"soon"}}, 400},
		} {
			if status, got := askPrometheus(t, s, "GET", "query", c.form, c.auth); status != c.want ||
				!strings.Contains(got, `"status":"error"`) {
				t.Errorf("%s: %d %s, want %d", name, status, got, c.want)
			}
		}
	})
}
