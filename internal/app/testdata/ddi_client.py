"""Goes through a deployment with the DDI client of rauc-hawkbit: HOST KEY DEVICE FILE."""
import asyncio
import re
import sys

import aiohttp
from rauc_hawkbit.ddi.client import (
    ConfigStatusExecution, ConfigStatusResult, DDIClient)
from rauc_hawkbit.ddi.deployment_base import (
    DeploymentStatusExecution, DeploymentStatusResult)


async def main(host, key, device, file):
    async with aiohttp.ClientSession() as session:
        ddi = DDIClient(session, host, False, key, 'DEFAULT', device)
        base = await ddi()
        await ddi.configData(
            ConfigStatusExecution.closed, ConfigStatusResult.success,
            mac='aa:bb')
        href = base['_links']['deploymentBase']['href']
        number, resource = re.search(
            r'/deploymentBase/(.+)\?c=(.+)$', href).groups()
        action = ddi.deploymentBase[number]
        info = await action(resource)
        artifact = info['deployment']['chunks'][0]['artifacts'][0]
        await action.feedback(
            DeploymentStatusExecution.proceeding, DeploymentStatusResult.none,
            ('begin',), percentage=0)
        got = await ddi.get_binary(
            artifact['_links']['download-http']['href'], file)
        assert got == artifact['hashes']['md5'], got
        await action.feedback(
            DeploymentStatusExecution.closed, DeploymentStatusResult.success,
            ('done',))
        print('ok', got)

asyncio.run(main(*sys.argv[1:]))
