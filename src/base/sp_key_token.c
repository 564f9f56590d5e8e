/*
 * src/base/sp_key_token.c
 */
#include <string.h>

#include "base/sp_key_token.h"

#define ID_DIGITS (SP_KEY_ID_SIZE - 1)
#define SECRET_DIGITS 32
#define CHECK_DIGITS 6
#define BASE 62

/* Random bytes from here on are thrown away: below, each digit has as many of them. */
#define ENOUGH (256 / BASE * BASE)

static const char digits[BASE + 1] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

static const struct
{
	const char *prefix;
	size_t		prefix_size;
	const char *name;
}			stages[SP_N_KEY_STAGES] = {
	[SP_KEY_DEVELOPMENT] = {"sp_dev_", 7, "development"},
	[SP_KEY_TESTING] = {"sp_test_", 8, "testing"},
	[SP_KEY_STAGING] = {"sp_stg_", 7, "staging"},
	[SP_KEY_PRODUCTION] = {"sp_live_", 8, "production"}
};

const char *
sp_key_stage_name(SpKeyStage stage)
{
	return stages[stage].name;
}

bool
sp_key_stage_find(const char *name, size_t size, SpKeyStage *stage)
{
	for (int i = 0; i < SP_N_KEY_STAGES; i++)
	{
		if (strlen(stages[i].name) == size && memcmp(stages[i].name, name, size) == 0)
		{
			*stage = (SpKeyStage) i;
			return true;
		}
	}
	return false;
}

/* Of the reflected polynomial 0xEDB88320, for four bits at a time. */
static uint32_t
crc32_of(const char *bytes, size_t size)
{
	static const uint32_t nibbles[16] = {
		0x00000000, 0x1DB71064, 0x3B6E20C8, 0x26D930AC, 0x76DC4190, 0x6B6B51F4, 0x4DB26158, 0x5005713C,
		0xEDB88320, 0xF00F9344, 0xD6D6A3E8, 0xCB61B38C, 0x9B64C2B0, 0x86D3D2D4, 0xA00AE278, 0xBDBDF21C
	};
	uint32_t	crc = UINT32_MAX;

	for (size_t i = 0; i < size; i++)
	{
		crc ^= (unsigned char) bytes[i];
		crc = crc >> 4 ^ nibbles[crc & 15];
		crc = crc >> 4 ^ nibbles[crc & 15];
	}
	return ~crc;
}

static void
write_check(const char *text, size_t size, char check[CHECK_DIGITS])
{
	uint32_t	crc = crc32_of(text, size);

	for (int i = CHECK_DIGITS - 1; i >= 0; i--)
	{
		check[i] = digits[crc % BASE];
		crc /= BASE;
	}
}

/* Without a branch for each kind of digit, whose prediction would depend on the secret. */
static bool
are_digits(const char *text, size_t size)
{
	static const bool is_digit[256] = {['0' ... '9'] = true, ['A' ... 'Z'] = true, ['a' ... 'z'] = true};
	bool		all = true;

	for (size_t i = 0; i < size; i++)
		all &= is_digit[(unsigned char) text[i]];
	return all;
}

bool
sp_key_id_is_valid(const char *text, size_t size)
{
	return size == ID_DIGITS && are_digits(text, size);
}

static bool
find_prefix(const char *text, size_t size, SpKeyStage *stage)
{
	for (int i = 0; i < SP_N_KEY_STAGES; i++)
	{
		size_t		rest = ID_DIGITS + 1 + SECRET_DIGITS + CHECK_DIGITS;

		if (size == stages[i].prefix_size + rest && memcmp(text, stages[i].prefix, stages[i].prefix_size) == 0)
		{
			*stage = (SpKeyStage) i;
			return true;
		}
	}
	return false;
}

bool
sp_key_token_parse(const char *text, size_t size, SpKeyToken *token)
{
	SpKeyStage	stage;
	const char *id;
	const char *secret;
	char		check[CHECK_DIGITS];

	if (!find_prefix(text, size, &stage))
		return false;
	id = text + stages[stage].prefix_size;
	secret = id + ID_DIGITS + 1;
	if (!are_digits(id, ID_DIGITS) || id[ID_DIGITS] != '_' || !are_digits(secret, SECRET_DIGITS + CHECK_DIGITS))
		return false;
	write_check(text, size - CHECK_DIGITS, check);
	if (memcmp(check, secret + SECRET_DIGITS, CHECK_DIGITS) != 0)
		return false;
	token->stage = stage;
	memcpy(token->id, id, ID_DIGITS);
	token->id[ID_DIGITS] = '\0';
	return true;
}

static bool
draw(SpRandomFill fill, void *arg, char *text, size_t count)
{
	uint8_t		bytes[32];
	size_t		left = 0;

	while (count > 0)
	{
		if (left == 0)
		{
			if (!fill(arg, bytes, sizeof(bytes)))
				return false;
			left = sizeof(bytes);
		}
		left--;
		if (bytes[left] < ENOUGH)
		{
			*text++ = digits[bytes[left] % BASE];
			count--;
		}
	}
	/* they tell the secret */
	explicit_bzero(bytes, sizeof(bytes));
	return true;
}

bool
sp_key_token_make(SpKeyStage stage, SpRandomFill fill, void *arg, char text[SP_KEY_TOKEN_SIZE], SpKeyToken *token)
{
	size_t		size = stages[stage].prefix_size;

	memcpy(text, stages[stage].prefix, size);
	if (!draw(fill, arg, text + size, ID_DIGITS))
		return false;
	memcpy(token->id, text + size, ID_DIGITS);
	token->id[ID_DIGITS] = '\0';
	token->stage = stage;
	size += ID_DIGITS;
	text[size++] = '_';
	if (!draw(fill, arg, text + size, SECRET_DIGITS))
		return false;
	size += SECRET_DIGITS;
	write_check(text, size, text + size);
	text[size + CHECK_DIGITS] = '\0';
	return true;
}
