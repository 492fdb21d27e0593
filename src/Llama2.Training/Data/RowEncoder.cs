using Microsoft.Extensions.AI;

namespace Llama2.Training;

/// <summary>Turns rows into sequences whose prompts have the ids that inference would read. Thread-safe.</summary>
internal sealed class RowEncoder
{
    private readonly LlamaTokenizer _tokenizer;
    private readonly LlamaTokenizer _continuation;         // the same, but a text has no space put before it
    private readonly TrainingDataOptions _options;

    public RowEncoder(LlamaTokenizer tokenizer, TrainingDataOptions options)
    {
        (_tokenizer, _options) = (tokenizer, options);
        _continuation = tokenizer.AddDummyPrefix
            ? new(tokenizer.Vocabulary, tokenizer.BeginOfTextId, tokenizer.EndOfTextId, tokenizer.UnknownId, addDummyPrefix: false)
            : tokenizer;
    }

    /// <summary>Encodes a row and cuts it to length.</summary>
    /// <param name="row">The row.</param>
    /// <param name="wasCut">Whether the row was too long.</param>
    /// <returns><see langword="null"/> where the row is to be left out because it is too long.</returns>
    /// <exception cref="BadRowException">The row cannot be learnt from.</exception>
    public TrainingSequence? Encode(DataRow row, out bool wasCut)
    {
        (int[] ids, bool[] inLoss) = row.Messages is { } messages ? EncodeConversation(messages) :
            _options.Rendering == RowRendering.Raw ? EncodeRaw(row) : EncodeConversation(
                [new(ChatRole.User, row.Text), new(ChatRole.Assistant, row.Answer ?? throw new BadRowException("chat needs an answer"))]);
        if (_options.LossOn == LossScope.All)
        {
            inLoss.AsSpan().Fill(true);
        }

        int maximum = _options.MaximumLength;
        wasCut = ids.Length > maximum;
        if (wasCut)
        {
            switch (_options.Truncation)
            {
                case Truncation.CutEnd:
                    (ids, inLoss) = (ids[..maximum], inLoss[..maximum]);
                    break;
                case Truncation.CutBeginning:
                    int start = ids.Length - maximum + 1;
                    (ids, inLoss) = ([ids[0], .. ids[start..]], [false, .. inLoss[start..]]);
                    break;
                case Truncation.LeaveOut:
                    return null;
                default:
                    throw new BadRowException($"the row has {ids.Length} tokens, more than {maximum}");
            }
        }

        return inLoss.AsSpan(1).Contains(true)
            ? new TrainingSequence(ids, inLoss)
            : throw new BadRowException($"none of the row's first {maximum} tokens counts in the loss");
    }

    private (int[] Ids, bool[] InLoss) EncodeRaw(DataRow row)
    {
        if (row.Text.Length == 0 && string.IsNullOrEmpty(row.Answer))
        {
            throw new BadRowException("the row holds no text");
        }

        if (row.Answer is "")
        {
            throw new BadRowException("the answer is empty");
        }

        int[] prompt = _tokenizer.Encode(row.Text);
        int[] ids = [_tokenizer.BeginOfTextId, .. prompt, .. _continuation.Encode(row.Answer), _tokenizer.EndOfTextId];
        bool[] inLoss = new bool[ids.Length];
        inLoss.AsSpan(1 + (row.Answer is null ? 0 : prompt.Length)).Fill(true);
        return (ids, inLoss);
    }

    private (int[] Ids, bool[] InLoss) EncodeConversation(IReadOnlyList<ChatMessage> messages)
    {
        if (_options.SystemPrompt is string system && !(messages.Count > 0 && messages[0].Role == ChatRole.System))
        {
            messages = [new(ChatRole.System, system), .. messages];
        }

        if (messages.Count == 0 || messages[^1].Role != ChatRole.Assistant)
        {
            throw new BadRowException("the last message must be the assistant's");
        }

        // A template writes what the model is to answer, so one more question goes behind and is cut off again.
        ChatPrompt whole = Render([.. messages, new(ChatRole.User, "-")]);
        int end = StartOf(messages.Count);
        int[] ids = [.. whole.TokenIds.Take(end)];
        bool[] inLoss = new bool[end];
        for (int i = 0; i < messages.Count; i++)
        {
            if (messages[i].Role != ChatRole.Assistant)
            {
                continue;
            }

            if (string.IsNullOrWhiteSpace(messages[i].Text))
            {
                throw new BadRowException(messages.Count == 2 ? "the answer is empty" : $"message {i} (assistant) is empty");
            }

            IReadOnlyList<int> prompt = Render([.. messages.Take(i)]).TokenIds;
            if (prompt.Count >= end || !prompt.SequenceEqual(ids.Take(prompt.Count)))
            {
                throw new BadRowException($"the prompt before message {i} has other ids in chat: a token reaches from it into the answer");
            }

            inLoss.AsSpan(prompt.Count..StartOf(i + 1)).Fill(true);
        }

        return (ids, inLoss);

        int StartOf(int message)
        {
            foreach (ChatMessageSpan span in whole.Spans)
            {
                if (span.MessageIndex == message)
                {
                    return span.Start;
                }
            }

            throw new BadRowException($"the chat template does not say where message {message} begins");
        }
    }

    private ChatPrompt Render(IReadOnlyList<ChatMessage> messages)
    {
        var writer = new ChatPromptWriter(_tokenizer);
        try
        {
            _options.ChatTemplate.Write(messages, writer);
        }
        catch (ArgumentException exception)
        {
            throw new BadRowException(FirstSentence(exception.Message), exception);
        }

        return writer.ToPrompt();
    }

    private static string FirstSentence(string message)
    {
        int end = message.IndexOf(". ", StringComparison.Ordinal);         // .NET adds "(Parameter 'messages')"
        return (end < 0 ? message : message[..end]).TrimEnd('.');
    }
}
