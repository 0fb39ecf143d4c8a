package discovery

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/unhidra/unhidra/internal/domain"
)

// The topics of a node of the second generation and later ones, after its prefix.
const (
	shellyOnline = "/online"     // true, and false as its will
	shellyEvents = "/events/rpc" // changes
	shellyStatus = "/status/"    // and a component: all of it
	shellyRPC    = "/rpc"        // questions and commands to it
)

// shellyNotice is a notification of a node.
type shellyNotice struct {
	Source string                     `json:"src"`
	Method string                     `json:"method"`
	Params map[string]json.RawMessage `json:"params"`
}

// ShellyAnswer is what a node answers to a question or a command.
type ShellyAnswer struct {
	ID     int64           `json:"id"`
	Result json.RawMessage `json:"result"`
	Error  *struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
}

// The ids of questions, and of commands.
const (
	askInfo        = 1
	ShellyStatus   = 2  // how all is
	ShellyCommands = 16 // the first of commands
)

// Shelly2 is a node of the second generation or a later one: it has components, such as switch:0, and is asked and
// told by JSON-RPC.
type Shelly2 struct {
	prefix, answers string
	info            struct {
		Name     string `json:"name"`
		MAC      string `json:"mac"`
		Model    string `json:"model"`
		App      string `json:"app"`
		Firmware string `json:"ver"`
	}
	parts map[string]map[string]bool // the values that components have, by the path of their names
}

// Prefix implements Shelly.
func (s *Shelly2) Prefix() string { return s.prefix }

// Questions implements Shelly.
func (s *Shelly2) Questions() []Publication {
	return []Publication{s.request(askInfo, "Shelly.GetDeviceInfo", nil), s.request(ShellyStatus, "Shelly.GetStatus", nil)}
}

// request returns a frame of JSON-RPC. The node answers on the topic of its source, with /rpc behind it.
func (s *Shelly2) request(id int64, method string, params map[string]any) Publication {
	b, _ := json.Marshal(struct {
		ID     int64          `json:"id"`
		Source string         `json:"src"`
		Method string         `json:"method"`
		Params map[string]any `json:"params,omitempty"`
	}{id, strings.TrimSuffix(s.answers, shellyRPC), method, params})
	return Publication{Topic: s.prefix + shellyRPC, Payload: string(b)}
}

// Hear implements Shelly.
func (s *Shelly2) Hear(m *Message, topic string) (news bool) {
	rest, ok := strings.CutPrefix(topic, s.prefix)
	if !ok {
		return false
	}
	if part, ok := strings.CutPrefix(rest, shellyStatus); ok {
		return s.learn(part, []byte(m.Payload))
	}
	var n shellyNotice
	if rest != shellyEvents || json.Unmarshal([]byte(m.Payload), &n) != nil {
		return false
	}
	if n.Method == "NotifyStatus" || n.Method == "NotifyFullStatus" {
		news = s.learnAll(n.Params)
	}
	return news
}

// Answered takes an answer to a question, and reports whether it says of something new.
func (s *Shelly2) Answered(a ShellyAnswer) (news bool) {
	switch a.ID {
	case askInfo:
		was := s.info
		_ = json.Unmarshal(a.Result, &s.info) // what is not of this form is left out
		return s.info != was
	case ShellyStatus:
		var all map[string]json.RawMessage
		if json.Unmarshal(a.Result, &all) != nil {
			return false
		}
		for part := range s.parts { // it is no more
			if all[part] == nil {
				delete(s.parts, part)
				news = true
			}
		}
		return s.learnAll(all) || news
	}
	return false
}

func (s *Shelly2) learnAll(parts map[string]json.RawMessage) (news bool) {
	for part, status := range parts {
		news = s.learn(part, status) || news
	}
	return news
}

const maxShellyParts = 64

// learn takes the status of a component, or what has changed of it.
func (s *Shelly2) learn(part string, status []byte) (news bool) {
	kind, number, numbered := strings.Cut(part, ":")
	var values map[string]any
	if !numbered || len(number) > 5 || slug(number) != number || slices.Contains(shellyOwn, kind) ||
		json.Unmarshal(status, &values) != nil {
		return false
	}
	known := s.parts[part]
	if known == nil {
		if len(s.parts) == maxShellyParts {
			return false
		}
		known, news = make(map[string]bool), true
		s.parts[part] = known
	}
	for _, v := range shellyParts[kind] {
		if value, ok := v.of(values); ok && value != nil && !known[v.path] {
			known[v.path], news = true, true
		}
	}
	return news
}

// Entities implements Shelly.
func (s *Shelly2) Entities() (all []*Entity) {
	dev := Device{ID: s.info.MAC, Name: line(s.info.Name), Model: line("Shelly " + s.info.App + " " + s.info.Model),
		Firmware: line(s.info.Firmware), Serial: line(s.info.MAC)}
	parts := make([]string, 0, len(s.parts))
	for part := range s.parts {
		parts = append(parts, part)
	}
	slices.Sort(parts)
	for _, part := range parts {
		kind, number, _ := strings.Cut(part, ":")
		e := &Entity{Key: "shelly/" + part, Component: kind, Device: dev, Name: slug(part),
			Title:     strings.ToUpper(kind[:min(1, len(kind))]) + kind[min(1, len(kind)):] + " " + number,
			Available: []Availability{{Topic: s.prefix + shellyOnline, yes: "true", no: "false"}}}
		e.Title = line(e.Title)
		if shellyParts[kind] == nil {
			e.Note = "components of this kind are not supported"
		}
		for _, v := range shellyParts[kind] {
			if s.parts[part][v.path] {
				s.measures(e, part, v)
			}
		}
		s.obeys(e, part, kind)
		all = append(all, e)
	}
	return all
}

// measures adds a value. It is in what the node sends by itself, of which the second is off when it is new, and in
// its answers.
func (s *Shelly2) measures(e *Entity, part string, v shellyValue) {
	path := quotedPath(v.path)
	for topic, template := range map[string]string{
		s.prefix + shellyEvents:        "{{ value_json.params[" + quote(part) + "]" + path + " }}",
		s.prefix + shellyStatus + part: "{{ value_json" + path + " }}",
		s.answers:                      "{{ value_json.result[" + quote(part) + "]" + path + " }}",
	} {
		x := e.sensor(e.Name+v.suffix, v.kind, topic, template)
		if x == nil { // cannot happen: the templates are ours
			continue
		}
		x.Unit = v.unit
		if v.suffix != "" {
			x.Title = line(e.Title + " " + strings.ReplaceAll(strings.Trim(v.suffix, "_"), "_", " "))
		}
	}
}

func quotedPath(path string) (s string) {
	for key := range strings.SplitSeq(path, ".") {
		s += "[" + quote(key) + "]"
	}
	return s
}

// obeys adds what a component can be told.
func (s *Shelly2) obeys(e *Entity, part, kind string) {
	_, number, _ := strings.Cut(part, ":")
	var id int
	if _, err := fmt.Sscanf(number, "%d", &id); err != nil {
		return
	}
	percent := domain.Arg{Kind: domain.NumberArg, Unit: "%", Min: ptr(0), Max: ptr(100), Step: ptr(1)}
	on := func(method string, dimmed bool) {
		args := []domain.Arg{onArg}
		if dimmed {
			percent.Name = "brightness"
			args = append(args, percent)
		}
		s.call(e, e.Name, func(args map[string]any) (string, map[string]any) {
			params := map[string]any{"id": id, "on": args["on"] == true}
			if n, ok := args["brightness"]; ok && args["on"] == true {
				params["brightness"] = n
			}
			return method, params
		}, args...)
	}
	switch kind {
	case "switch":
		on("Switch.Set", false)
	case "light", "cct", "rgb", "rgbw":
		method := map[string]string{"light": "Light", "cct": "CCT", "rgb": "RGB", "rgbw": "RGBW"}[kind] + ".Set"
		on(method, s.parts[part]["brightness"])
	case "cover":
		methods := map[string]string{"open": "Cover.Open", "close": "Cover.Close", "stop": "Cover.Stop"}
		s.call(e, e.Name, func(args map[string]any) (string, map[string]any) {
			word, _ := args["to"].(string)
			return methods[word], map[string]any{"id": id}
		}, domain.Arg{Name: "to", Kind: domain.ChoiceArg, Options: []string{"open", "close", "stop"}, Required: true})
		if s.parts[part]["current_pos"] {
			percent.Name, percent.Required = "value", true
			s.call(e, e.Name+"_position", func(args map[string]any) (string, map[string]any) {
				return "Cover.GoToPosition", map[string]any{"id": id, "pos": args["value"]}
			}, percent)
		}
	}
}

// call adds an action that the node answers.
func (s *Shelly2) call(
	e *Entity, name string, frame func(args map[string]any) (method string, params map[string]any), args ...domain.Arg,
) {
	e.action(nil, nil, args...)
	a := &e.Actions[len(e.Actions)-1]
	a.Name = name
	a.Request = func(id int64, args map[string]any) Publication {
		method, params := frame(args)
		return s.request(id, method, params)
	}
}
