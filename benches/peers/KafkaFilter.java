// What somebody would write by hand instead of running Ouzel with one rule: reads events from a
// topic, looks at "eventType" with Jackson's streaming parser, and sends what is hit to another
// topic, as it came. At least once: offsets are committed when what was sent is acknowledged.
// It knows nothing of wrapped events, of rules that change, of dead letters, of alerts sent twice.
//
// benches/peers_kafka.rs compiles it, runs it and reads what it prints: a line when so many events
// are judged that the compiler of the virtual machine has done its work, a line at the end.

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

public final class KafkaFilter {
    private static final long COMMIT_EVERY_NANOS = 1_000_000_000L;

    private final JsonFactory factory = new JsonFactory();
    private final String wanted;
    private final boolean readsAll;
    private long unreadable;

    private KafkaFilter(String wanted, boolean readsAll) {
        this.wanted = wanted;
        this.readsAll = readsAll;
    }

    public static void main(String[] arguments) throws IOException {
        if (arguments.length != 8) {
            System.err.println("KafkaFilter BROKERS GROUP INPUT OUTPUT EVENT-TYPE all|first WARM EVENTS");
            System.exit(2);
        }
        KafkaFilter filter = new KafkaFilter(arguments[4], arguments[5].equals("all"));
        long warm = Long.parseLong(arguments[6]);
        long events = Long.parseLong(arguments[7]);
        try (KafkaConsumer<byte[], byte[]> consumer = consumer(arguments[0], arguments[1]);
                KafkaProducer<byte[], byte[]> producer = producer(arguments[0])) {
            consumer.subscribe(List.of(arguments[2]));
            filter.run(consumer, producer, arguments[3], warm, events);
        }
    }

    private static KafkaConsumer<byte[], byte[]> consumer(String brokers, String group) {
        Properties settings = new Properties();
        settings.put("bootstrap.servers", brokers);
        settings.put("group.id", group);
        settings.put("auto.offset.reset", "earliest");
        settings.put("enable.auto.commit", "false");
        settings.put("isolation.level", "read_committed");
        // As the other side: no second checksum of what TCP has brought.
        settings.put("check.crcs", "false");
        settings.put("max.poll.records", "5000");
        return new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    private static KafkaProducer<byte[], byte[]> producer(String brokers) {
        Properties settings = new Properties();
        settings.put("bootstrap.servers", brokers);
        settings.put("acks", "all");
        settings.put("enable.idempotence", "true");
        return new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer());
    }

    private void run(
            KafkaConsumer<byte[], byte[]> consumer,
            KafkaProducer<byte[], byte[]> producer,
            String output,
            long warm,
            long events) {
        AtomicReference<Exception> failure = new AtomicReference<>();
        long seen = 0;
        long committed = System.nanoTime();
        boolean isWarm = false;
        while (seen < events) {
            ConsumerRecords<byte[], byte[]> records = consumer.poll(Duration.ofMillis(100));
            for (ConsumerRecord<byte[], byte[]> record : records) {
                if (isHit(record.value())) {
                    ProducerRecord<byte[], byte[]> hit =
                            new ProducerRecord<>(output, record.key(), record.value());
                    producer.send(hit, (where, fault) -> failure.compareAndSet(null, fault));
                }
            }
            seen += records.count();
            if (!isWarm && seen >= warm) {
                isWarm = true;
                System.out.println("warm " + seen);
            }
            if (System.nanoTime() - committed >= COMMIT_EVERY_NANOS) {
                flush(producer, failure);
                consumer.commitAsync();
                committed = System.nanoTime();
            }
        }
        flush(producer, failure);
        consumer.commitSync();
        System.out.println("done " + seen);
        if (unreadable > 0) {
            throw new IllegalStateException(unreadable + " events could not be read");
        }
    }

    private static void flush(KafkaProducer<byte[], byte[]> producer, AtomicReference<Exception> failure) {
        producer.flush();
        if (failure.get() != null) {
            throw new IllegalStateException("a hit was not delivered", failure.get());
        }
    }

    private boolean isHit(byte[] payload) {
        try (JsonParser parser = factory.createParser(payload)) {
            return isHit(parser);
        } catch (IOException fault) {
            unreadable++;
            return false;
        }
    }

    private boolean isHit(JsonParser parser) throws IOException {
        boolean isHit = false;
        if (parser.nextToken() != JsonToken.START_OBJECT) {
            return false;
        }
        while (parser.nextToken() == JsonToken.FIELD_NAME) {
            boolean isEventType = parser.currentName().equals("eventType");
            JsonToken value = parser.nextToken();
            if (isEventType) {
                isHit |= value == JsonToken.VALUE_STRING && parser.getText().equals(wanted);
                if (!readsAll) {
                    return isHit;
                }
            }
            parser.skipChildren();
        }
        return isHit;
    }
}
