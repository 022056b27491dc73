#!/usr/bin/env python3
"""The control plane as boto3 sees it: recipes, dataset group, schemas, datasets, imports,
solution, solution version, metrics; what is refused, and in which words; a version that is
stopped; an api process that is killed while it trains. Redis grants what deploy/redis.conf
grants."""

import json
import os
import random
import subprocess
import sys
import time
import uuid
from http.client import HTTPConnection

from harness import (Failed, Redis, Skipped, check, free_port, http, main, say, wait_until)
from test_acl import documented_rule

sys.path.append("/usr/lib/python3/dist-packages")  # Debian's boto3, for another python3, too

INTERACTIONS = {
    "type": "record", "name": "Interactions",
    "namespace": "com.amazonaws.personalize.schema", "version": "1.0",
    "fields": [{"name": "USER_ID", "type": "string"}, {"name": "ITEM_ID", "type": "string"},
               {"name": "TIMESTAMP", "type": "long"}, {"name": "EVENT_TYPE", "type": "string"}]}
ITEMS = {
    "type": "record", "name": "Items",
    "namespace": "com.amazonaws.personalize.schema", "version": "1.0",
    "fields": [{"name": "ITEM_ID", "type": "string"},
               {"name": "GENRES", "type": ["null", "string"], "categorical": True}]}
METRICS = {"coverage", "mean_reciprocal_rank_at_25",
           *(f"normalized_discounted_cumulative_gain_at_{k}" for k in (5, 10, 25)),
           *(f"precision_at_{k}" for k in (5, 10, 25))}
ORDER = ["CREATE PENDING", "CREATE IN_PROGRESS", "ACTIVE"]
ROLE = "arn:aws:iam::123456789012:role/reader"  # not needed; Debian's boto3 insists
RECIPE = "arn:aws:personalize:::recipe/"


def boto():
    try:
        import boto3
        import botocore.config
        import botocore.exceptions
    except ImportError:
        raise Skipped("no boto3 here (Debian package python3-boto3)") from None
    return boto3, botocore


def connect(port, region="us-east-1"):
    boto3, botocore = boto()
    return boto3.client("personalize", endpoint_url=f"http://127.0.0.1:{port}",
                        region_name=region, aws_access_key_id="x", aws_secret_access_key="y",
                        config=botocore.config.Config(retries={"max_attempts": 1}))


def refused(error, operation, **members):
    """The message of an error of this kind."""
    _, botocore = boto()
    try:
        operation(**members)
    except botocore.exceptions.ClientError as caught:
        code = caught.response["Error"]["Code"]
        text = caught.response["Error"]["Message"]
        if code != error:
            raise Failed(f"{error} was expected, not {code}: {text}") from None
        return text
    raise Failed(f"{error} was expected, and it was done")


def log_of(users, events, seed=1):
    """Users walk round the items of a genre."""
    draw, rows = random.Random(seed), []
    for user in range(users):
        at, genre, item = 1_600_000_000 + draw.randrange(10**6), draw.randrange(5), 0
        for _ in range(events):
            item = (item + draw.randint(1, 3)) % 20
            at += draw.randint(1, 4000)
            rows.append((f"u{user}", f"i{genre * 20 + item}", at, "buy" if draw.random() < .9 else "click"))
    rows.sort(key=lambda row: row[2])
    return rows


def write_csv(path, header, rows):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(",".join(header) + "\n")
        for row in rows:
            file.write(",".join(map(str, row)) + "\n")


class Api:
    """An api process, and clients for it."""

    def __init__(self, scratch, redis):
        self.scratch, self.port = scratch, free_port()
        self.config = scratch.config("api.yaml", {
            "redis.address": redis.address, "redis.user": "eddy",
            "redis.password": "s3cret-word", "roles": "api",
            "http.listen": f"127.0.0.1:{self.port}", "model.folder": scratch.path("models"),
            "api.folder": scratch.path("api"), "api.s3_root": scratch.path("s3")})
        self.process, self.client = None, connect(self.port)
        self.starts = 0

    def start(self):
        self.starts += 1
        self.process = self.scratch.worker(f"api-{self.starts}", self.config)
        wait_until(lambda: http(self.port, "/livez")[0] == 200, "the api")
        return self


def states_of(describe, ends=("ACTIVE", "CREATE FAILED", "CREATE STOPPED"), timeout_s=120):
    """The states that are seen, in order, and the last description."""
    seen = []

    def ended():
        last = describe()
        if not seen or seen[-1] != last["status"]:
            seen.append(last["status"])
        return last if last["status"] in ends else None
    return seen, wait_until(ended, "the end of a job", timeout_s, 0.02)


def in_order(seen, order):
    """Whether what was seen is of the order, and ends as it does."""
    places = [order.index(state) for state in seen if state in order]
    return len(places) == len(seen) and places == sorted(places) and seen[-1] == order[-1]


def import_job(client, name, dataset, location, **members):
    arn = client.create_dataset_import_job(
        jobName=name, datasetArn=dataset, dataSource={"dataLocation": location},
        roleArn=ROLE, **members)["datasetImportJobArn"]
    return states_of(lambda: client.describe_dataset_import_job(
        datasetImportJobArn=arn)["datasetImportJob"])


def version_of(client, solution):
    arn = client.create_solution_version(solutionArn=solution)["solutionVersionArn"]
    return arn, lambda: client.describe_solution_version(
        solutionVersionArn=arn)["solutionVersion"]


def solution_of(client, name, group, recipe, hypers=None, **members):
    if hypers:
        members["solutionConfig"] = {"algorithmHyperParameters": hypers}
    return client.create_solution(name=name, datasetGroupArn=group, recipeArn=RECIPE + recipe,
                                  **members)["solutionArn"]


def recipes(client):
    names = [r["name"] for r in client.list_recipes()["recipes"]]
    check(len(names) == 11 and "aws-user-personalization" in names, "eleven recipes", names)
    pages = [page["recipes"] for page in client.get_paginator("list_recipes").paginate(
        PaginationConfig={"PageSize": 4})]
    check([len(page) for page in pages] == [4, 4, 3]
          and [r["name"] for page in pages for r in page] == names, "in pages of four", pages)
    recipe = client.describe_recipe(recipeArn=RECIPE + "aws-sims")["recipe"]
    check(recipe["recipeType"] == "RELATED_ITEMS" and recipe["status"] == "ACTIVE"
          and recipe["algorithmArn"] == "arn:aws:personalize:::algorithm/aws-sims",
          "a recipe is described", recipe)
    text = refused("ResourceNotFoundException", client.describe_recipe,
                   recipeArn=RECIPE + "aws-none")
    check("aws-user-personalization" in text, "an unknown one is not, and others are named", text)


def schemas(client):
    text = json.dumps(INTERACTIONS, indent=3)
    arn = client.create_schema(name="interactions", schema=text)["schemaArn"]
    check(arn == "arn:aws:personalize:us-east-1:000000000000:schema/interactions",
          "the ARN is built as AWS builds it", arn)
    schema = client.describe_schema(schemaArn=arn)["schema"]
    check(schema["schema"] == text, "a schema comes back unchanged", schema)
    again = refused("ResourceAlreadyExistsException", client.create_schema, name="interactions",
                    schema=text)
    check(arn in again, "a second one of the name is refused", again)
    broken = json.loads(text)
    broken["fields"].append({"name": "BSW"})
    message = refused("InvalidInputException", client.create_schema, name="broken",
                      schema=json.dumps(broken))
    check("field BSW" in message and "no type" in message,
          "a field without type is refused by name", message)
    items = client.create_schema(name="items", schema=json.dumps(ITEMS))["schemaArn"]
    listed = [s["schemaArn"] for s in client.list_schemas()["schemas"]]
    check(listed == [arn, items], "both are listed, in order of creation", listed)
    return arn, items


def pages_of_groups(client):
    arns = [client.create_dataset_group(name=f"g{i}")["datasetGroupArn"] for i in range(5)]
    first = client.list_dataset_groups(maxResults=2)
    check(len(first["datasetGroups"]) == 2, "a page of two groups", first)
    found = [g["datasetGroupArn"] for page in client.get_paginator(
        "list_dataset_groups").paginate(PaginationConfig={"PageSize": 2})
             for g in page["datasetGroups"]]
    check(found == arns, "pages hold every group once", found)
    text = refused("InvalidNextTokenException", client.list_dataset_groups, nextToken="ab12")
    say(f"   {text}")
    refused("InvalidNextTokenException", client.list_schemas, nextToken=first["nextToken"])
    check(True, "a token is of its list alone")
    text = refused("InvalidInputException", client.list_dataset_groups, maxResults=101)
    check("maxResults" in text and "100" in text, "101 results are too many", text)
    group = client.describe_dataset_group(datasetGroupArn=arns[0])["datasetGroup"]
    check(group["status"] == "ACTIVE" and group["name"] == "g0" and abs(
        group["creationDateTime"].timestamp() - time.time()) < 600,
          "a group is ACTIVE and knows when it was made", group)
    check(connect_elsewhere(client) == [], "another region has groups of its own")
    return arns[0]


def connect_elsewhere(client):
    port = int(client.meta.endpoint_url.rsplit(":", 1)[1])
    return connect(port, "eu-west-1").list_dataset_groups()["datasetGroups"]


def validation(client, group):
    text = refused("InvalidInputException", client.create_dataset_group, name="-no")
    check("'name'" in text and "pattern" in text, "a name that does not fit its pattern", text)
    text = refused("InvalidInputException", client.create_dataset_group, name="x" * 64)
    check("'name'" in text and "63" in text, "a name that is too long", text)
    text = refused("InvalidInputException", client.create_dataset_group, name="tagged",
                   roleArn="role")
    check("'roleArn'" in text, "a role that is none", text)
    refused("TooManyTagsException", client.create_dataset_group, name="tagged",
            tags=[{"tagKey": f"k{i}", "tagValue": ""} for i in range(51)])
    text = refused("UnknownOperationException", client.create_campaign, name="c",
                   solutionVersionArn="arn:aws:personalize:us-east-1:000000000000:solution/s/1")
    check("CreateCampaign" in text and "not offered" in text, "an operation not offered", text)
    for call, members in (
            (client.describe_dataset_group, {"datasetGroupArn": group + "x"}),
            (client.describe_schema, {"schemaArn": group}),
            (client.describe_dataset, {"datasetArn": group}),
            (client.describe_dataset_import_job, {"datasetImportJobArn": group}),
            (client.describe_solution, {"solutionArn": group}),
            (client.describe_solution_version, {"solutionVersionArn": group}),
            (client.get_solution_metrics, {"solutionVersionArn": group}),
            (client.stop_solution_version_creation, {"solutionVersionArn": group}),
            (client.create_solution_version, {"solutionArn": group})):
        refused("ResourceNotFoundException", call, **members)
    check(True, "nine operations say that a resource is not there")


def request(port, body, target):
    """A request by hand -> status, headers, JSON."""
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    headers = {"Content-Type": "application/x-amz-json-1.1"}
    if target:
        headers["X-Amz-Target"] = target
    connection.request("POST", "/", body, headers)
    reply = connection.getresponse()
    text = reply.read().decode()
    found = (reply.status, reply.headers, json.loads(text) if text else None)
    connection.close()
    return found


def newer_solution(client, name, group, recipe, config):
    """CreateSolution with members that Debian's boto3 does not know yet -> its JSON."""
    port = int(client.meta.endpoint_url.rsplit(":", 1)[1])
    return request(port, json.dumps({"name": name, "datasetGroupArn": group,
                                     "recipeArn": RECIPE + recipe, "solutionConfig": config}),
                   "AmazonPersonalize.CreateSolution")[2]


def raw_requests(port):
    def post(body, target="AmazonPersonalize.ListSchemas"):
        return request(port, body, target)
    status, headers, body = post("{")
    check(status == 400 and body["__type"] == "SerializationException"
          and headers["x-amzn-ErrorType"] == "SerializationException"
          and uuid.UUID(headers["x-amzn-RequestId"]).version == 4,
          "broken JSON: type in header and body, and a request id", (status, body))
    status, _, body = post('{"maxResults":"7"}')
    check(body["__type"] == "SerializationException" and "maxResults" in body["message"],
          "a text where a number belongs", body)
    status, _, body = post('{"nextToken":null,"newerMember":[1]}')
    check(status == 200 and "schemas" in body, "null is absent, unknown members are let be", body)
    status, _, body = post("{}", target=None)
    check(status == 400 and body["__type"] == "UnknownOperationException", "no target", body)
    status, _, body = post("[]")
    check(body["__type"] == "SerializationException", "a list is no input", body)
    status, _, body = post('{"schemaArn":"a\\u0000b"}', "AmazonPersonalize.DescribeSchema")
    check(body["__type"] == "SerializationException", "no text holds a NUL", body)


def datasets(client, group, schema, items_schema):
    arn = client.create_dataset(name="log", schemaArn=schema, datasetGroupArn=group,
                                datasetType="Interactions")["datasetArn"]
    check(arn.endswith(":dataset/g0/INTERACTIONS"), "a dataset's ARN ends in capitals", arn)
    refused("ResourceAlreadyExistsException", client.create_dataset, name="other",
            schemaArn=schema, datasetGroupArn=group, datasetType="INTERACTIONS")
    text = refused("InvalidInputException", client.create_dataset, name="items",
                   schemaArn=schema, datasetGroupArn=group, datasetType="Items")
    check("INTERACTIONS" in text and "ITEMS" in text, "a schema of another type", text)
    items = client.create_dataset(name="items", schemaArn=items_schema, datasetGroupArn=group,
                                  datasetType="items")["datasetArn"]
    found = client.list_datasets(datasetGroupArn=group)["datasets"]
    check([d["datasetType"] for d in found] == ["INTERACTIONS", "ITEMS"], "both are listed",
          found)
    return arn, items


def imports(scratch, client, dataset, items, rows):
    header = ["user_id", "ITEM_ID", "TIMESTAMP", "EVENT_TYPE", "UNUSED"]
    s3 = scratch.path("s3", "bucket")
    for location in ("s3://bucket", "s3://bucket/../key", "s3://bucket//key",
                     "http://bucket/key"):
        text = refused("InvalidInputException", client.create_dataset_import_job, jobName="bad",
                       datasetArn=dataset, dataSource={"dataLocation": location},
                       roleArn=ROLE)
        check("Invalid S3 input path" in text, f"{location} is no location", text)
    seen, job = import_job(client, "nowhere", dataset, "s3://bucket/nowhere.csv")
    check(in_order(seen, ORDER[:2] + ["CREATE FAILED"]) and "s3://bucket/nowhere.csv"
          in job["failureReason"], "a file that is not there", (seen, job["failureReason"]))
    os.makedirs(s3, exist_ok=True)
    os.symlink("/etc/passwd", os.path.join(s3, "link.csv"))
    _, job = import_job(client, "link", dataset, "s3://bucket/link.csv")
    check("leads out" in job["failureReason"], "a link out of the folder", job["failureReason"])
    write_csv(os.path.join(s3, "short.csv"), ["USER_ID", "ITEM_ID", "TIMESTAMP"],
              [row[:3] for row in rows])
    _, job = import_job(client, "short", dataset, "s3://bucket/short.csv")
    check("s3://bucket/short.csv:1: Input CSV is missing the following columns:[EVENT_TYPE]"
          in job["failureReason"], "a missing column", job["failureReason"])
    write_csv(os.path.join(s3, "wrong.csv"), header,
              [(*row, "x") for row in rows[:5]] + [("u", "i", "noon", "buy", "x")])
    _, job = import_job(client, "wrong", dataset, "s3://bucket/wrong.csv")
    check("s3://bucket/wrong.csv:7: column TIMESTAMP: 'noon' is no long" in job["failureReason"],
          "a wrong cell, by file, line and column", job["failureReason"])
    _, job = import_job(client, "early", dataset, "s3://bucket/wrong.csv",
                        importMode="INCREMENTAL")
    check("FULL" in job["failureReason"], "nothing to add to yet", job["failureReason"])

    half = len(rows) // 2
    for name, part in (("a", rows[:half]), ("b", rows[half:])):
        write_csv(os.path.join(s3, "log", f"{name}.csv"), header, [(*row, "x") for row in part])
    seen, job = import_job(client, "log", dataset, "s3://bucket/log/")
    check(in_order(seen, ORDER) and job["importMode"] == "FULL", "a folder is imported", seen)
    refused("ResourceAlreadyExistsException", client.create_dataset_import_job, jobName="log",
            datasetArn=dataset, dataSource={"dataLocation": "s3://bucket/log/"}, roleArn=ROLE)
    names = [j["jobName"] for j in client.list_dataset_import_jobs(
        datasetArn=dataset)["datasetImportJobs"]]
    check(names == ["nowhere", "link", "short", "wrong", "early", "log"], "jobs are listed",
          names)

    write_csv(os.path.join(s3, "items.csv"), ["ITEM_ID", "GENRES"],
              [(f"i{i}", f"genre{i // 20}") for i in range(90)])
    seen, job = import_job(client, "items", items, "s3://bucket/items.csv")
    check(in_order(seen, ORDER), "items are imported", (seen, job.get("failureReason")))
    write_csv(os.path.join(s3, "more.csv"), ["ITEM_ID", "GENRES"],
              [(f"i{i}", f"new{i // 20}") for i in range(80, 100)])
    seen, job = import_job(client, "more", items, "s3://bucket/more.csv",
                           importMode="INCREMENTAL")
    check(in_order(seen, ORDER), "further items are added", (seen, job.get("failureReason")))
    files = os.listdir(scratch.path("api", "us-east-1", "dataset", "g0", "ITEMS"))
    check(files == ["more.csv"], "the file before is gone", files)
    with open(scratch.path("api", "us-east-1", "dataset", "g0", "ITEMS", "more.csv"),
              encoding="utf-8") as file:
        lines = file.read().split()
    check(len(lines) == 101 and "i80,new4" in lines and "i79,genre3" in lines,
          "an item that comes again is replaced, others stay", lines[:3])


def solutions(client, group):
    make = client.create_solution
    text = refused("InvalidInputException", make, name="s", datasetGroupArn=group)
    check("recipeArn" in text, "no recipe", text)
    refused("ResourceNotFoundException", make, name="s", datasetGroupArn=group,
            recipeArn=RECIPE + "aws-none")
    for hypers, words in (({"hiden_dimension": "64"}, ["hiden_dimension", "hidden_dimension"]),
                          ({"hidden_dimension": "999"}, ["hidden_dimension=999", "32 to 256"]),
                          ({"exploration_weight": "0.3"}, ["campaign"])):
        text = refused("InvalidInputException", make, name="s", datasetGroupArn=group,
                       recipeArn=RECIPE + "aws-user-personalization",
                       solutionConfig={"algorithmHyperParameters": hypers})
        check(all(word in text for word in words), f"{hypers} is refused", text)
    for config, word in (({"eventValueThreshold": "much"}, '"much" is not a number'),
                         ({"eventsConfig": {"eventParametersList": [{"weight": .5}]}},
                          "eventType"),
                         ({"trainingDataConfig": {}}, "not offered yet"),
                         ({"optimizationObjective": {"itemAttribute": "PRICE"}},
                          "not offered yet")):
        answer = newer_solution(client, "s", group, "aws-hrnn", config)
        check(answer["__type"] == "InvalidInputException" and word in answer["message"],
              f"{config} is refused", answer)
    text = refused("InvalidInputException", make, name="s", datasetGroupArn=group,
                   recipeArn=RECIPE + "aws-popularity-count", performHPO=True)
    check("no hyper-parameter that can be tuned" in text, "nothing to tune", text)
    text = refused("InvalidInputException", make, name="s", datasetGroupArn=group,
                   recipeArn=RECIPE + "aws-hrnn", performAutoML=True)
    check("performAutoML" in text, "what is not offered is said", text)
    arn = solution_of(client, "popular", group, "aws-popularity-count")
    refused("ResourceAlreadyExistsException", make, name="popular", datasetGroupArn=group,
            recipeArn=RECIPE + "aws-sims")
    return arn


def too_few(scratch, client, schema, rows):
    group = client.create_dataset_group(name="few")["datasetGroupArn"]
    dataset = client.create_dataset(name="few", schemaArn=schema, datasetGroupArn=group,
                                    datasetType="Interactions")["datasetArn"]
    arn = solution_of(client, "few", group, "aws-popularity-count")
    text = refused("InvalidInputException", client.create_solution_version, solutionArn=arn)
    check("no data yet" in text, "nothing has been imported", text)
    write_csv(scratch.path("s3", "bucket", "few.csv"),
              ["USER_ID", "ITEM_ID", "TIMESTAMP", "EVENT_TYPE"], rows[:999])
    import_job(client, "few", dataset, "s3://bucket/few.csv")
    seen, version = states_of(version_of(client, arn)[1])
    check(in_order(seen, ORDER[:2] + ["CREATE FAILED"])
          and "Dataset has fewer than 1000 interactions" in version["failureReason"],
          "999 interactions are not enough, in Amazon's words", (seen, version))


def train(client, solution, name):
    arn, describe = version_of(client, solution)
    text = None
    if describe()["status"] != "ACTIVE":
        text = refused("ResourceInUseException", client.get_solution_metrics,
                       solutionVersionArn=arn)
    seen, version = states_of(describe)
    check(in_order(seen, ORDER), f"{name}: {seen}", (version.get("failureReason"), text))
    metrics = client.get_solution_metrics(solutionVersionArn=arn)["metrics"]
    check(set(metrics) == METRICS and 0 < metrics["coverage"] <= 1
          and metrics["normalized_discounted_cumulative_gain_at_25"] > 0,
          f"{name}: the eight metrics", metrics)
    check(version["trainingMode"] == "FULL" and 0 < version["trainingHours"] < 1,
          f"{name}: it says how long it took", version)
    return arn, version


def chain(scratch, client, group, popular):
    version, _ = train(client, popular, "aws-popularity-count")
    path = scratch.path("api", "us-east-1", "solution", "popular", version.rsplit("/")[-1])
    check("manifest.json" in os.listdir(os.path.join(path, "model")), "the model is there")
    check("inputs" not in os.listdir(path), "what only training needed is not",
          os.listdir(path))
    hypers = {"hidden_dimension": "32", "epochs": "2", "bptt": "16"}
    solution = solution_of(client, "personal", group, "aws-user-personalization", hypers)
    arn, version = train(client, solution, "aws-user-personalization")
    check(version["solutionConfig"]["algorithmHyperParameters"] == hypers,
          "the version keeps its hyper-parameters", version)
    described = client.describe_solution(solutionArn=solution)["solution"]
    check(described["latestSolutionVersion"]["solutionVersionArn"] == arn
          and described["status"] == "ACTIVE",
          "the solution names its latest version", described)
    buys = solution_of(client, "buys", group, "aws-sims", eventType="buy")
    seen, version = states_of(version_of(client, buys)[1])
    check(seen[-1] == "ACTIVE" and version["eventType"] == "buy", "aws-sims of one event type",
          version)
    with open(scratch.path("api", "us-east-1", "solution", "buys", version[
            "solutionVersionArn"].rsplit("/")[-1], "model", "manifest.json"),
              encoding="utf-8") as file:
        rows = json.load(file)["data"]["events"]
    check(1000 <= rows < 1600, "the others are not in its model", rows)
    weighed = newer_solution(client, "weighed", group, "aws-hrnn", {
        "algorithmHyperParameters": {"hidden_dimension": "32", "epochs": "1"},
        "eventsConfig": {"eventParametersList": [{"eventType": "buy", "weight": 1},
                                                 {"eventType": "click", "weight": .1}]}})
    seen, version = states_of(version_of(client, weighed["solutionArn"])[1])
    check(seen[-1] == "ACTIVE", "aws-hrnn with weights of event types", version)
    listed = client.list_solution_versions(solutionArn=solution)["solutionVersions"]
    check([v["solutionVersionArn"] for v in listed] == [arn], "versions are listed by solution",
          listed)
    all_of = [s["name"] for s in client.list_solutions(datasetGroupArn=group)["solutions"]]
    check(all_of == ["popular", "personal", "buys", "weighed"], "solutions are listed by group", all_of)


def search(client, group):
    solution = solution_of(
        client, "tuned", group, "aws-sims", performHPO=True,
        solutionConfig={"hpoConfig": {
            "hpoResourceConfig": {"maxNumberOfTrainingJobs": "2",
                                  "maxParallelTrainingJobs": "1"},
            "algorithmHyperParameterRanges": {"continuousHyperParameterRanges": [
                {"name": "popularity_discount_factor", "minValue": .1, "maxValue": .9}]}}})
    seen, version = states_of(version_of(client, solution)[1])
    tuned = version.get("tunedHPOParams", {}).get("algorithmHyperParameters", {})
    check(seen[-1] == "ACTIVE" and .1 <= float(tuned["popularity_discount_factor"]) <= .9,
          "performHPO finds a value in its range", (seen, version))


def slow_solution(client, group):
    return solution_of(client, "slow", group, "aws-hrnn",
                       {"hidden_dimension": "64", "epochs": "300", "patience": "300"})


def training_child(api):
    def found():
        lines = subprocess.run(["ps", "-o", "pid=,args=", "--ppid", str(api.process.pid)],
                               stdout=subprocess.PIPE, check=False).stdout.decode()
        trains = [line for line in lines.splitlines() if " train " in line]
        return int(trains[0].split()[0]) if trains else None
    return wait_until(found, "a process that trains")


def stop(api, client, solution):
    arn, describe = version_of(client, solution)
    pid = training_child(api)
    waiting, _ = version_of(client, solution)
    client.stop_solution_version_creation(solutionVersionArn=waiting)
    seen, _ = states_of(lambda: client.describe_solution_version(
        solutionVersionArn=waiting)["solutionVersion"])
    check(in_order(seen, ["CREATE PENDING", "CREATE STOPPING", "CREATE STOPPED"]),
          "a version that waits is stopped while another trains", seen)
    client.stop_solution_version_creation(solutionVersionArn=arn)
    seen, _ = states_of(describe)
    check(in_order(seen, ["CREATE IN_PROGRESS", "CREATE STOPPING", "CREATE STOPPED"]),
          "one that trains is stopped", seen)
    check(not os.path.exists(f"/proc/{pid}"), "its process has ended")
    text = refused("InvalidInputException", client.stop_solution_version_creation,
                   solutionVersionArn=arn)
    check("CREATE STOPPED" in text, "it cannot be stopped twice", text)


def killed(api, client, group):
    solution = solution_of(client, "long", group, "aws-hrnn",
                           {"hidden_dimension": "32", "epochs": "8", "patience": "8"})
    arn, describe = version_of(client, solution)
    pid = training_child(api)
    api.process.kill()
    wait_until(lambda: not os.path.exists(f"/proc/{pid}"), "the end of the child")
    check(True, "kill -9 of the api ends the training process, too")
    api.start()
    check(describe()["status"] == "CREATE IN_PROGRESS", "the version is still in progress")
    seen, version = states_of(describe)
    check(in_order(seen, ["CREATE IN_PROGRESS", "ACTIVE"]), "the next process finishes it",
          (seen, version))
    metrics = client.get_solution_metrics(solutionVersionArn=arn)["metrics"]
    check(set(metrics) == METRICS, "with its metrics", metrics)


def without_redis(redis, client):
    redis.kill()
    text = refused("ServiceUnavailable", client.list_schemas)
    check("Redis" in text, "Redis is away, and the client is told so", text)
    redis.start()
    wait_until(lambda: _answers(client), "the api to answer again")
    check(True, "Redis is back, and so is the api")


def _answers(client):
    _, botocore = boto()
    try:
        return len(client.list_schemas()["schemas"]) == 2
    except botocore.exceptions.ClientError:
        return False


def aws(scratch, _arguments):
    boto()
    redis = Redis(scratch, acl=[documented_rule("s3cret-word")]).start()
    api = Api(scratch, redis).start()
    client = api.client
    rows = log_of(users=80, events=20)
    recipes(client)
    schema, items_schema = schemas(client)
    group = pages_of_groups(client)
    validation(client, group)
    raw_requests(api.port)
    dataset, items = datasets(client, group, schema, items_schema)
    imports(scratch, client, dataset, items, rows)
    popular = solutions(client, group)
    too_few(scratch, client, schema, rows)
    chain(scratch, client, group, popular)
    search(client, group)
    stop(api, client, slow_solution(client, group))
    killed(api, client, group)
    without_redis(redis, client)
    code = api.process.stop()
    check(code == 0, "SIGTERM ends the api with 0", code)


if __name__ == "__main__":
    main(aws)
