package mqtt

import (
	"slices"
	"strings"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/mqtt/discovery"
	"github.com/unhidra/unhidra/internal/mqtt/packet"
)

const (
	maxTopicLen = 256 // bytes
	maxLevels   = 16
	maxTopics   = 1000 // that one device may publish to

	maxBridgeTopics = 20 * maxTopics // that a bridge may
)

// class is what a client may see and do in its site.
type class byte

const (
	// A plainNode publishes to topics of its own, and gets what controllers and the server publish.
	plainNode class = iota
	// A controller sees all of its site, and commands its devices: the owner with an access token, or a
	// program that was registered as one.
	controller
)

// classOf returns the class of a principal, whose id says what it names.
func classOf(id string, access domain.DeviceAccess) class {
	if strings.HasPrefix(id, domain.DevicePrefix+"_") && access != domain.AccessController {
		return plainNode
	}
	return controller
}

func (c *conn) class() class { return classOf(c.who.ID, c.who.Access) }

// siteOf returns the site of a principal: the owner.
func siteOf(p domain.Principal) string {
	if p.Kind == domain.KindDevice {
		return p.Owner
	}
	return p.ID
}

// ownPrefix starts the topics that this server gives a meaning.
const ownPrefix = "uh/"

func isOwn(topic string) bool { return strings.HasPrefix(topic, ownPrefix) }

// ownDevice splits uh/d/DEVICE/REST.
func ownDevice(topic string) (device, rest string, ok bool) {
	if rest, ok = strings.CutPrefix(topic, ownPrefix+"d/"); !ok {
		return "", "", false
	}
	return cutAll(rest)
}

func cutAll(s string) (device, rest string, ok bool) {
	device, rest, ok = strings.Cut(s, "/")
	return device, rest, ok && device != "" && rest != ""
}

// fromDevice are the topics under uh/d/DEVICE/ that the device publishes to.
var fromDevice = []string{topicUp, topicDescribe, topicResult, topicSettingsRes, topicBye, topicAvail, topicLog,
	topicFirmware, topicProgress, topicRead, topicCrash, topicRPC}

// mayPublish says whether the client may publish to a topic.
func (c *conn) mayPublish(topic string) packet.Code {
	switch {
	case len(topic) > maxTopicLen || strings.Count(topic, "/") >= maxLevels:
		return packet.BadTopic
	case strings.HasPrefix(topic, "$"):
		return packet.NotAuthorized
	case topic == discovery.StatusTopic && c.class() != controller:
		return packet.NotAuthorized
	case !isOwn(topic):
		if d, kept := discovery.OwnDevice(topic); kept && (c.class() == controller || d != c.who.ID) {
			return packet.NotAuthorized
		}
		return packet.Success
	}
	device, rest, ok := ownDevice(topic)
	if c.class() == controller && isOrder(topic) {
		return packet.Success
	}
	if ok && c.class() == plainNode && device == c.who.ID &&
		(slices.Contains(fromDevice, rest) || strings.HasPrefix(rest, topicSensor) && len(rest) > len(topicSensor)) {
		return packet.Success
	}
	return packet.NotAuthorized
}

// visible reports whether a client may get a message.
func (m *message) visible(s *session) bool {
	if device, rest, ok := ownDevice(m.topic); ok && device != s.device && isSecret(rest) {
		return false
	}
	if s.class == controller || m.device == s.device {
		return true
	}
	if device, _, ok := ownDevice(m.topic); ok && device != s.device {
		return false
	}
	return m.open
}

// isSecret reports whether a topic under uh/d/DEVICE/ is between the device and the server: settings may be passwords,
// core dumps may hold them, of images nobody else has use, and answers of a Shelly are for who asked.
func isSecret(rest string) bool {
	return rest == topicSettings || rest == topicSettingsRes || rest == topicCrash || rest == topicRPC ||
		strings.HasPrefix(rest, topicFirmware+"/")
}

// isDebug reports whether a topic is that of ESPHome's log, which is as talkative as its node is set.
func isDebug(topic string) bool { return strings.HasSuffix(topic, "/debug") }

// keepsRetained reports whether messages of a topic are retained when they ask for it.
func keepsRetained(topic string) bool { return !isDebug(topic) && !isOrder(topic) && !isShared(topic) }

// isOrder reports whether a topic is one by which controllers command devices.
func isOrder(topic string) bool {
	_, rest, ok := ownDevice(topic)
	return ok && strings.HasPrefix(rest, topicSet) && len(rest) > len(topicSet)
}
