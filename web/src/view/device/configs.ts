import type { Access } from '../fleetport';
import type { MqttPort } from '../port';

// Configurations to copy to a device, for the programs that makers use.

export const programs = [
  { id: 'esphome', name: 'ESPHome', access: '' },
  { id: 'tasmota', name: 'Tasmota', access: '' },
  { id: 'shelly', name: 'Shelly', access: '' },
  { id: 'arduino', name: 'Arduino', access: '' },
  { id: 'python', name: 'Python', access: '' },
  { id: 'go', name: 'Go', access: '' },
  { id: 'zigbee2mqtt', name: 'Zigbee2MQTT', access: 'bridge' },
  { id: 'homeassistant', name: 'Home Assistant', access: 'controller' },
  { id: 'nodered', name: 'Node-RED', access: 'controller' },
] as const;

export type Program = (typeof programs)[number]['id'];

/** The programs whose keys have an access. */
export const programsFor = (access: Access) => programs.filter((p) => p.access === access);

export interface Place {
  device: { id: string; name: string };
  key: string;
  /** of this server, for MQTT */
  host: string;
  mqtt: MqttPort;
  /** of this server, for the WebSocket */
  origin: string;
}

/** What to copy into the configuration, or the source, of a device. */
export function configOf(program: Program, p: Place): string {
  const { id } = p.device;
  const { port, tls } = p.mqtt;
  switch (program) {
    case 'esphome':
      return `mqtt:
  broker: ${p.host}
  port: ${port}
  username: ${id}
  password: ${p.key}${tls ? '\n  certificate_authority: |\n    (the certificate of the CA, as PEM)' : ''}`;
    case 'tasmota':
      return (
        `Backlog MqttHost ${p.host}; MqttPort ${port}; MqttUser ${id}; MqttPassword ${p.key}` +
        (tls ? '; SetOption103 1' : '')
      );
    case 'shelly':
      return `Settings > MQTT
Connection type: ${tls ? 'TLS' : 'no SSL'}
Server: ${p.host}:${port}
Username: ${id}
Password: ${p.key}
RPC over MQTT: on
RPC status notifications over MQTT: on`;
    case 'arduino':
      return `// Library: PubSubClient${tls ? ', on a WiFiClientSecure' : ''}
client.setServer("${p.host}", ${port});
client.connect("${id}", "${id}", "${p.key}");
client.publish("uh/d/${id}/up", "{\\"temperature\\":21.4}");`;
    case 'python':
      return `# pip install paho-mqtt
import json, paho.mqtt.publish as publish

publish.single(
    "uh/d/${id}/up", json.dumps({"temperature": 21.4}), qos=1,
    hostname="${p.host}", port=${port}, auth={"username": "${id}", "password": "${p.key}"}${tls ? ', tls={}' : ''})`;
    case 'zigbee2mqtt':
      return `homeassistant:
  enabled: true
mqtt:
  base_topic: zigbee2mqtt
  server: ${tls ? 'mqtts' : 'mqtt'}://${p.host}:${port}
  user: ${id}
  password: ${p.key}`;
    case 'homeassistant':
      return `Settings > Devices & services > Add integration > MQTT
Broker: ${p.host}
Port: ${port}
Username: ${id}
Password: ${p.key}${tls ? '\nBroker certificate validation: Automatic' : ''}`;
    case 'nodered':
      return `mqtt-broker node
Server: ${p.host}
Port: ${port}${tls ? '\nUse TLS: yes' : ''}
Username: ${id}
Password: ${p.key}`;
    case 'go':
      return `// go get github.com/unhidra/unhidra/client/device
d, err := device.Open(device.Options{
	Server: "${p.origin}", Key: "${p.key}", Dir: "/var/lib/device",
})
if err != nil {
	log.Fatal(err)
}
if err := d.Report(map[string]any{"temperature": 21.4}); err != nil {
	log.Print(err)
}
log.Fatal(d.Run(context.Background()))`;
  }
}
