using System.Text.Json;

namespace Llama2.Cli;

/// <summary>A generation as one JSON object.</summary>
internal static class GenerationReport
{
    public static string ToJson(string prompt, GenerationResult result) => Json.Object(json =>
    {
        json.WriteString("prompt", prompt);
        json.WriteIds("prompt_ids", result.PromptTokenIds);
        json.WriteIds("ids", result.TokenIds);
        json.WriteString("text", result.Text);
        json.WriteString("finish_reason", Name(result.FinishReason));
        json.WriteString("stop_sequence", result.StopSequence);
        WriteUsage(json, result);
        WriteTimings(json, result);
        WriteSettings(json, result.EffectiveOptions);
        WriteScores(json, "logprobs", result.LogProbabilities);
        WriteScores(json, "prompt_logprobs", result.PromptLogProbabilities);
    });

    /// <summary>The settings that are set, as a person reads them.</summary>
    public static string Describe(GenerationOptions options)
    {
        using JsonDocument json = JsonDocument.Parse(Json.Object(writer => WriteSettings(writer, options)));
        return string.Join(
            ", ",
            from setting in json.RootElement.GetProperty("settings").EnumerateObject()
            let value = setting.Value.GetRawText()
            where value is not ("null" or "{}" or "[]")
            select $"{setting.Name} {value}");
    }

    private static string Name(GenerationFinishReason reason) => reason switch
    {
        GenerationFinishReason.Stop => "stop",
        GenerationFinishReason.StopSequence => "stop-sequence",
        GenerationFinishReason.Length => "length",
        GenerationFinishReason.Cancelled => "cancelled",
        _ => throw new ArgumentOutOfRangeException(nameof(reason), reason, null),
    };

    private static void WriteUsage(Utf8JsonWriter json, GenerationResult result)
    {
        json.WriteStartObject("usage");
        json.WriteNumber("prompt_tokens", result.Usage.PromptTokens);
        json.WriteNumber("cached_prompt_tokens", result.Usage.CachedPromptTokens);
        json.WriteNumber("dropped_prompt_tokens", result.DroppedPromptTokens);
        json.WriteNumber("completion_tokens", result.Usage.CompletionTokens);
        json.WriteEndObject();
    }

    private static void WriteTimings(Utf8JsonWriter json, GenerationResult result)
    {
        GenerationTimings timings = result.Timings;
        json.WriteStartObject("timings");
        json.WriteNumber("queue_ms", Milliseconds(timings.Queue));
        json.WriteNumber("prefill_ms", Milliseconds(timings.Prefill));
        json.WriteNumber("first_token_ms", Milliseconds(timings.FirstToken));
        json.WriteNumber("decode_ms", Milliseconds(timings.Decode));
        if (result.Usage.CompletionTokens > 1 && timings.Decode > TimeSpan.Zero)        // the first token belongs to the prefill
        {
            json.WriteNumber("tokens_per_second", Math.Round((result.Usage.CompletionTokens - 1) / timings.Decode.TotalSeconds, 3));
        }
        else
        {
            json.WriteNull("tokens_per_second");
        }

        json.WriteNumber("drafted_tokens", timings.DraftedTokens);
        json.WriteNumber("accepted_tokens", timings.AcceptedTokens);

        json.WriteEndObject();
    }

    private static double Milliseconds(TimeSpan time) => Math.Round(time.TotalMilliseconds, 3);

    private static void WriteSettings(Utf8JsonWriter json, GenerationOptions options)
    {
        json.WriteStartObject("settings");
        Write(json, "do_sample", options.DoSample);
        Write(json, "temperature", options.Temperature);
        Write(json, "top_p", options.TopP);
        Write(json, "top_k", options.TopK);
        Write(json, "min_p", options.MinP);
        Write(json, "typical_p", options.TypicalP);
        Write(json, "repetition_penalty", options.RepetitionPenalty);
        Write(json, "repetition_window", options.RepetitionWindow);
        Write(json, "presence_penalty", options.PresencePenalty);
        Write(json, "frequency_penalty", options.FrequencyPenalty);
        Write(json, "no_repeat_ngram_size", options.NoRepeatNgramSize);
        json.WriteStartObject("logit_bias");
        foreach ((int id, float bias) in options.LogitBias ?? new Dictionary<int, float>())
        {
            Write(json, $"{id}", bias);
        }

        json.WriteEndObject();
        WriteTexts(json, "bad_words", options.BadWords);
        Write(json, "max_new_tokens", options.MaxNewTokens);
        Write(json, "min_new_tokens", options.MinNewTokens);
        Write(json, "max_time", options.MaxTime?.TotalSeconds);
        Write(json, "ignore_eos", options.IgnoreEos);
        Write(json, "seed", options.Seed);
        json.WriteString("adapter", options.Adapter);
        WriteTexts(json, "stop", options.StopSequences);
        json.WriteIds("stop_token_ids", options.StopTokenIds ?? []);
        json.WriteString("constraint", options.Constraint?.ToString());
        Write(json, "return_full_text", options.ReturnFullText);
        Write(json, "logprobs", options.LogProbabilities);
        Write(json, "prompt_logprobs", options.PromptLogProbabilities);
        json.WriteString("context_overflow", options.ContextOverflow switch
        {
            ContextOverflow.DropOldestTurns => "drop-oldest-turns",
            ContextOverflow.TruncateLeft => "truncate-left",
            _ => "throw",
        });
        json.WriteEndObject();
    }

    private static void WriteScores(Utf8JsonWriter json, string name, IReadOnlyList<ScoredToken>? scores)
    {
        if (scores is null)
        {
            return;                                                 // absent unless asked for
        }

        json.WriteStartArray(name);
        foreach (ScoredToken score in scores)
        {
            json.WriteStartObject();
            WriteScore(json, score.Token);
            json.WriteStartArray("top");
            foreach (TokenLogProbability token in score.Top)
            {
                json.WriteStartObject();
                WriteScore(json, token);
                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static void WriteScore(Utf8JsonWriter json, TokenLogProbability token)
    {
        json.WriteNumber("id", token.TokenId);
        Write(json, "logprob", token.LogProbability);
    }

    private static void WriteTexts(Utf8JsonWriter json, string name, IReadOnlyList<string>? texts)
    {
        json.WriteStartArray(name);
        foreach (string text in texts ?? [])
        {
            json.WriteStringValue(text);
        }

        json.WriteEndArray();
    }

    private static void Write(Utf8JsonWriter json, string name, bool? value)
    {
        if (value is { } set)
        {
            json.WriteBoolean(name, set);
        }
        else
        {
            json.WriteNull(name);
        }
    }

    private static void Write(Utf8JsonWriter json, string name, long? value)
    {
        if (value is { } set)
        {
            json.WriteNumber(name, set);
        }
        else
        {
            json.WriteNull(name);
        }
    }

    /// <summary>JSON has no infinities; −∞ (a forbidden token) is written as a string.</summary>
    private static void Write(Utf8JsonWriter json, string name, float? value)
    {
        if (value is not { } set)
        {
            json.WriteNull(name);
        }
        else if (float.IsFinite(set))
        {
            json.WriteNumber(name, set);
        }
        else
        {
            json.WriteString(name, float.IsNegative(set) ? "-Infinity" : "Infinity");
        }
    }

    private static void Write(Utf8JsonWriter json, string name, double? value)
    {
        if (value is { } set)
        {
            json.WriteNumber(name, set);
        }
        else
        {
            json.WriteNull(name);
        }
    }
}
