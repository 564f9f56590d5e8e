/*
 * test/unit/test_bytes.c
 *
 * base: errors, allocation, strings, byte readers and writers, wire format.
 */
#include <stdint.h>

#include "sp_test.h"

#include "base/sp_bytes.h"
#include "base/sp_wire.h"

static void
test_errors(void)
{
	SpContext	cx;
	SpTestRegion region;
	char		long_text[2000];

	sp_test_context(&cx, &region);
	ok(sp_fail(&cx, SP_ERR_LIMIT, "%d apples", 3) == SP_ERR_LIMIT &&
	   strcmp(cx.error.message, "3 apples") == 0 && cx.error.offset == SP_NO_OFFSET, "sp_fail");
	ok(sp_fail_detail(&cx, "D.") == SP_ERR_LIMIT && sp_fail_hint(&cx, "H.") == SP_ERR_LIMIT &&
	   strcmp(cx.error.detail, "D.") == 0 && strcmp(cx.error.hint, "H.") == 0, "detail and hint");
	ok(sp_fail_at(&cx, 7, "bad") == SP_ERR_FORMAT && cx.error.offset == 7 &&
	   cx.error.detail[0] == '\0' && cx.error.hint[0] == '\0', "sp_fail_at clears detail and hint");

	/* the cut at the end of the field must not fall into a two-byte character */
	memset(long_text, 'x', sizeof(long_text));
	memcpy(long_text + sizeof(cx.error.message) - 2, "\xc3\xa4", 2);
	long_text[sizeof(long_text) - 1] = '\0';
	sp_fail(&cx, SP_ERR_FORMAT, "%s", long_text);
	ok(strlen(cx.error.message) == sizeof(cx.error.message) - 2, "a long message is cut between characters");
}

static void
test_memory(void)
{
	SpContext	cx;
	SpTestRegion region;
	void	   *memory;
	uint32_t   *array = NULL;
	size_t		capacity = 0;
	size_t		i;

	sp_test_context(&cx, &region);
	ok(sp_alloc_array(&cx, 0, 8, &memory) == SP_OK && memory != NULL, "no elements give a pointer");
	ok(sp_alloc_array(&cx, 3, 4, &memory) == SP_OK && memcmp(memory, "\0\0\0\0\0\0\0\0\0\0\0\0", 12) == 0,
	   "memory is zeroed");
	fails_with(&cx, sp_alloc_array(&cx, SIZE_MAX / 2, 3, &memory), SP_ERR_MEMORY, "memory",
			   "a size that overflows");
	ok(memory == NULL, "the result of a failure is NULL");
	for (i = 0; i < 1000; i++)
	{
		if (sp_grow_array(&cx, (void **) &array, &capacity, i + 1, sizeof(*array)) != SP_OK)
			break;
		array[i] = (uint32_t) i;
	}
	ok(i == 1000 && array[0] == 0 && array[999] == 999 && region.calls < 30, "an array grows in large steps");
	fails_with(&cx, sp_grow_array(&cx, (void **) &array, &capacity, SIZE_MAX / 2, 4), SP_ERR_MEMORY,
			   NULL, "an array does not grow beyond memory");
	ok(array[999] == 999 && capacity < 10000, "and stays as it was");
	region.fail_at = region.calls + 1;
	fails_with(&cx, sp_grow_array(&cx, (void **) &array, &capacity, capacity + 1, 4), SP_ERR_MEMORY,
			   NULL, "memory is short");
	sp_free(&cx, array);
	sp_free(&cx, NULL);
	sp_test_release_all(&region);
	ok(region.bytes == 0, "all is released");
}

static SpStr
str(const char *text)
{
	return (SpStr) {text, strlen(text)};
}

static void
test_strings(void)
{
	SpContext	cx;
	SpTestRegion region;
	char		shown[SP_PRINTABLE_SIZE];
	char		long_text[200];
	const char *copy;

	sp_test_context(&cx, &region);
	ok(sp_str_is(str("ab"), "ab") && !sp_str_is(str("ab"), "abc") && !sp_str_is(str("abc"), "ab") &&
	   sp_str_eq((SpStr) {NULL, 0}, str("")), "comparing");
	ok(sp_str_is_text(str("a \xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80")), "text in UTF-8");
	ok(sp_str_is_text((SpStr) {NULL, 0}), "nothing is text");
	ok(!sp_str_is_text(str("\xc3")) && !sp_str_is_text(str("\xc0\x80")) && !sp_str_is_text(str("\xe0\x80\x80")) &&
	   !sp_str_is_text(str("\xed\xa0\x80")) && !sp_str_is_text(str("\xf4\x90\x80\x80")) &&
	   !sp_str_is_text(str("\xf8\x88\x80\x80\x80")) && !sp_str_is_text(str("\xe2\x82")) &&
	   !sp_str_is_text(str("\x80")), "malformed UTF-8");
	ok(!sp_str_is_text((SpStr) {"a\0b", 3}) && !sp_str_is_text(str("a\nb")) && !sp_str_is_text(str("\x7f")) &&
	   !sp_str_is_text(str("\xc2\x85")), "control characters");
	ok(strcmp(sp_printable((SpStr) {"a\n\xff\0\xc3\xa4", 6}, shown), "a\?\?\?\xc3\xa4") == 0, "printable");
	memset(long_text, 'x', sizeof(long_text));
	ok(strlen(sp_printable((SpStr) {long_text, sizeof(long_text)}, shown)) == 63 &&
	   strcmp(shown + 60, "...") == 0, "long text is cut");
	ok(sp_copy_str(&cx, str("name"), &copy) == SP_OK && strcmp(copy, "name") == 0, "copy");
	cx.limits.max_string = 3;
	fails_with(&cx, sp_copy_str(&cx, str("name"), &copy), SP_ERR_LIMIT, "\"name\"", "a copy over the limit");
	sp_test_release_all(&region);
}

static void
test_reader(void)
{
	SpContext	cx;
	SpTestRegion region;
	SpReader	reader;
	SpWriter	writer;
	uint64_t	number;
	uint8_t		byte;
	float		single;
	double		wide;
	SpStr		text;
	const uint8_t *bytes;

	sp_test_context(&cx, &region);
	sp_writer_init(&writer, &cx);
	ok(sp_write_u8(&writer, 0xfe) == SP_OK && sp_write_le(&writer, 2, 0x1234) == SP_OK &&
	   sp_write_le(&writer, 8, 0x1122334455667788) == SP_OK && sp_write_f32(&writer, 1.5f) == SP_OK &&
	   sp_write_f64(&writer, -0.1) == SP_OK && sp_write_str(&writer, str("abc")) == SP_OK &&
	   sp_write_bytes(&writer, NULL, 0) == SP_OK && writer.size == 1 + 2 + 8 + 4 + 8 + 7, "write");
	sp_reader_init(&reader, &cx, writer.data, writer.size);
	ok(sp_read_u8(&reader, &byte) == SP_OK && byte == 0xfe, "a byte");
	ok(sp_read_le(&reader, 2, &number) == SP_OK && number == 0x1234, "two bytes");
	ok(sp_read_be(&reader, 8, &number) == SP_OK && number == 0x8877665544332211, "eight bytes from the other end");
	ok(sp_read_f32_le(&reader, &single) == SP_OK && single == 1.5f, "a float");
	ok(sp_read_f64_le(&reader, &wide) == SP_OK && wide == -0.1, "a double");
	ok(sp_read_str(&reader, &text) == SP_OK && sp_str_is(text, "abc"), "a string");
	fails_with(&cx, sp_read_u8(&reader, &byte), SP_ERR_FORMAT, "end of data", "nothing is left");
	ok(cx.error.offset == writer.size, "the offset is the end");
	reader.pos = writer.size - 7;
	reader.size--;
	fails_with(&cx, sp_read_str(&reader, &text), SP_ERR_FORMAT, "3 bytes is cut off after 2", "a string that is cut off");
	fails_with(&cx, sp_read_bytes(&reader, SIZE_MAX, &bytes), SP_ERR_FORMAT, NULL, "a huge count");
	fails_with(&cx, sp_read_le(&reader, 4, &number), SP_ERR_FORMAT, NULL, "four bytes where two are left");
	sp_test_release_all(&region);
}

static void
wire_fails(const char *bytes, size_t size, const char *text)
{
	SpContext	cx;
	SpTestRegion region;
	SpReader	reader;
	SpWireField field;

	sp_test_context(&cx, &region);
	sp_reader_init(&reader, &cx, bytes, size);
	fails_with(&cx, sp_wire_next(&reader, &field), SP_ERR_FORMAT, text, "wire format: %s", text);
	ok(cx.error.offset == 0, "at its tag");
}

static void
test_wire(void)
{
	static const char bytes[] = "\x08\x96\x01" "\x12\x02hi" "\x1d\0\0\x80\x3f" "\x21\1\2\3\4\5\6\7\x08";
	SpContext	cx;
	SpTestRegion region;
	SpReader	reader;
	SpWireField field;

	sp_test_context(&cx, &region);
	sp_reader_init(&reader, &cx, bytes, sizeof(bytes) - 1);
	ok(sp_wire_next(&reader, &field) == SP_OK && field.number == 1 && field.type == SP_WIRE_VARINT &&
	   field.start == 1 && field.size == 2, "a varint");
	ok(sp_wire_next(&reader, &field) == SP_OK && field.number == 2 && field.type == SP_WIRE_BYTES &&
	   field.offset == 3 && field.start == 5 && field.size == 2, "bytes");
	ok(sp_wire_next(&reader, &field) == SP_OK && field.number == 3 && field.type == SP_WIRE_FIXED32, "four bytes");
	ok(sp_wire_next(&reader, &field) == SP_OK && field.number == 4 && field.type == SP_WIRE_FIXED64 &&
	   reader.pos == reader.size, "eight bytes");
	wire_fails("\x08", 1, "does not end");
	wire_fails("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 12, "does not end");
	wire_fails("\x12\x03hi", 4, "3 bytes needed, 2 left");
	wire_fails("\x12\xff\xff\xff\xff\x0f", 6, "invalid length");
	wire_fails("\x12\xff\xff\xff\xff\x07", 6, "cut off");
	wire_fails("\x02\x01", 2, "invalid tag");
	wire_fails("\xff\xff\xff\xff\xff\x01", 6, "invalid tag");
	wire_fails("\x80", 1, "invalid tag");
	wire_fails("\x0b\x0c", 2, "wire type 3");
	wire_fails("\x0d\1\2\3", 4, "4 bytes needed, 3 left");
}

int
main(void)
{
	test_errors();
	test_memory();
	test_strings();
	test_reader();
	test_wire();
	return done_testing();
}
