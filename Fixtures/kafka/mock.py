#!/usr/bin/env python3
"""Three mock brokers of librdkafka (PyPI confluent-kafka), driven by lines on standard input.

It prints "ready HOST:PORT,…", and "done LINE" for each line that it has carried out:

    create TOPIC PARTITIONS REPLICAS      leader TOPIC PARTITION BROKER
    down BROKER                           up BROKER
    errors API CODE…                      trim TOPIC PARTITION BEFORE
    topicerror TOPIC CODE                 version API LEAST MOST
"""
import ctypes
import glob
import os
import sys

import confluent_kafka

site = os.path.dirname(os.path.dirname(confluent_kafka.__file__))
library = ctypes.CDLL(glob.glob(site + "/confluent_kafka.libs/librdkafka-*.so*")[0])
library.rd_kafka_new.restype = ctypes.c_void_p
library.rd_kafka_mock_cluster_new.restype = ctypes.c_void_p
library.rd_kafka_mock_cluster_bootstraps.restype = ctypes.c_char_p
error = ctypes.create_string_buffer(512)
handle = library.rd_kafka_new(0, None, error, 512)
cluster = ctypes.c_void_p(library.rd_kafka_mock_cluster_new(ctypes.c_void_p(handle), 3))
print("ready", library.rd_kafka_mock_cluster_bootstraps(cluster).decode(), flush=True)


def carry_out(words):
    name, rest = words[0], words[1:]
    if name == "create":
        library.rd_kafka_mock_topic_create(cluster, rest[0].encode(), int(rest[1]), int(rest[2]))
    elif name == "leader":
        library.rd_kafka_mock_partition_set_leader(
            cluster, rest[0].encode(), int(rest[1]), int(rest[2]))
    elif name == "down":
        library.rd_kafka_mock_broker_set_down(cluster, int(rest[0]))
    elif name == "up":
        library.rd_kafka_mock_broker_set_up(cluster, int(rest[0]))
    elif name == "errors":
        codes = (ctypes.c_int * (len(rest) - 1))(*map(int, rest[1:]))
        library.rd_kafka_mock_push_request_errors_array(
            cluster, ctypes.c_int16(int(rest[0])), ctypes.c_size_t(len(codes)), codes)
    elif name == "trim":
        library.rd_kafka_mock_partition_delete_records(
            cluster, rest[0].encode(), int(rest[1]), ctypes.c_int64(int(rest[2])))
    elif name == "topicerror":
        library.rd_kafka_mock_topic_set_error(cluster, rest[0].encode(), int(rest[1]))
    elif name == "version":
        library.rd_kafka_mock_set_apiversion(
            cluster, *[ctypes.c_int16(int(number)) for number in rest])


for line in sys.stdin:
    carry_out(line.split())
    print("done", line.strip(), flush=True)
