"""A device in Python: it reports a temperature and obeys "fan". pip install paho-mqtt==2.1.0

python3 device.py HOST PORT DEVICE KEY
"""
import json
import sys

import paho.mqtt.client as mqtt

host, port, device, key = sys.argv[1:5]
base = f"uh/d/{device}/"


def on_connect(client, userdata, flags, reason, properties):
    client.subscribe(base + "c", qos=1)
    client.publish(base + "describe", json.dumps({
        "sensors": [{"name": "air", "unit": "Cel", "kind": "number"}, {"name": "fan", "kind": "bool"}],
        "actuators": [{"name": "fan", "args": [{"name": "on", "kind": "bool", "required": True}]}],
    }), qos=1)
    client.publish(base + "up", json.dumps({"air": 21.4, "fan": False}), qos=1)


def on_message(client, userdata, message):
    command = json.loads(message.payload)
    client.publish(base + "up", json.dumps({"fan": command["args"]["on"]}), qos=1)
    client.publish(base + "c/res", json.dumps({"id": command["id"], "state": "done"}), qos=1)


client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="python", protocol=mqtt.MQTTv5)
client.username_pw_set("any", key)
client.on_connect, client.on_message = on_connect, on_message
if port == "8883":
    client.tls_set()
client.connect(host, int(port))
client.loop_forever()
