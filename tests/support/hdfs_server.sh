#!/usr/bin/env bash
# Runs a command beside an HDFS (NameNode and DataNode of Hadoop 2.7) on this machine. Needs JDK 17 and gcc; 220 MB.
#
# tests/support/hdfs_server.sh FOLDER .venv/bin/pytest tests/integration/jobs/test_storages.py -k hdfs
#
# No wheel holds HDFS: its jars come from an old PySpark, libhdfs is compiled from the copy of its source in Pydoop.
set -euo pipefail
folder=$(realpath -m "$1") && shift
mkdir -p "$folder"/jars "$folder"/source "$folder"/conf/webapps/{hdfs,datanode}
export JAVA_HOME=${JAVA_HOME:-$(dirname "$(dirname "$(realpath "$(command -v javac)")")")}

if [ ! -e "$folder/libhdfs.so" ]; then
  python3 -m venv "$folder/venv"
  "$folder/venv/bin/pip" install --quiet 'setuptools<70' wheel
  "$folder/venv/bin/pip" download --quiet --no-deps --no-build-isolation --no-binary :all: -d "$folder" pyspark==2.4.8 pydoop==2.0.0
  tar xzf "$folder"/pyspark-*.tar.gz -C "$folder/jars" --strip-components=3 --wildcards '*/deps/jars/*'
  tar xzf "$folder"/pydoop-*.tar.gz -C "$folder/source" --strip-components=3 --wildcards '*/src/libhdfs/*'
  (cd "$folder/source" && gcc -O2 -fPIC -shared -o ../libhdfs.so -I. -Iinclude -Icommon -Ios -Ios/posix -I"$JAVA_HOME/include" \
    -I"$JAVA_HOME/include/linux" ./*.c common/*.c os/posix/*.c -L"$JAVA_HOME/lib/server" -ljvm -lpthread)
fi

property() { echo "<property><name>$1</name><value>$2</value></property>"; }
{
  echo '<configuration>'
  property fs.defaultFS hdfs://127.0.0.1:9820
  property hadoop.tmp.dir "$folder/data"
  property dfs.replication 1
  property dfs.webhdfs.enabled false
  for each in namenode.http-address:9870 datanode.address:9866 datanode.http.address:9864 datanode.ipc.address:9867; do
    property "dfs.${each%:*}" "127.0.0.1:${each#*:}"
  done
  echo '</configuration>'
} | tee "$folder/conf/core-site.xml" > "$folder/conf/hdfs-site.xml"

printf 'log4j.%s\n' rootLogger=WARN,A logger.org.apache.hadoop.hdfs.server=INFO appender.A=org.apache.log4j.ConsoleAppender \
  appender.A.layout=org.apache.log4j.SimpleLayout > "$folder/conf/log4j.properties"

export ARROW_LIBHDFS_DIR=$folder CLASSPATH
CLASSPATH="$folder/conf:$(printf '%s:' "$folder"/jars/*.jar)"
export LIBHDFS_OPTS='--add-opens=java.base/java.lang=ALL-UNNAMED --add-opens=java.security.jgss/sun.security.krb5=ALL-UNNAMED'
# shellcheck disable=SC2206
run=(java $LIBHDFS_OPTS -Xmx256m) servers=org.apache.hadoop.hdfs.server
rm -rf "$folder/data"
"${run[@]}" $servers.namenode.NameNode -format -nonInteractive > "$folder/format.log" 2>&1
"${run[@]}" $servers.namenode.NameNode > "$folder/namenode.log" 2>&1 &
"${run[@]}" $servers.datanode.DataNode > "$folder/datanode.log" 2>&1 &
trap 'kill $(jobs -p)' EXIT
for _ in $(seq 60); do
  grep -q 'Successfully sent block report' "$folder/datanode.log" && break
  sleep 1
done
CROSSGUARD_TEST_HDFS=hdfs://127.0.0.1:9820 "$@"
