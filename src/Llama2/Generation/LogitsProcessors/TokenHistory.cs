namespace Llama2;

/// <summary>The tokens of one sequence so far: prompt, then answer.</summary>
internal sealed class TokenHistory
{
    private const int MaxReserve = 1 << 16;    // a limit of tokens is a caller's figure and may be absurd

    private int[] _tokens;
    private int _count;

    /// <param name="prompt">The prompt's ids.</param>
    /// <param name="expected">How many tokens the answer may have, so that none of the first 65 536 allocates.</param>
    public TokenHistory(ReadOnlySpan<int> prompt, int expected)
    {
        _tokens = new int[prompt.Length + Math.Clamp(expected, 16, MaxReserve)];
        prompt.CopyTo(_tokens);
        _count = PromptLength = prompt.Length;
    }

    public int PromptLength { get; }

    public int AnswerLength => _count - PromptLength;

    public int Capacity => _tokens.Length;

    public ReadOnlySpan<int> Tokens => _tokens.AsSpan(0, _count);

    public void Append(int token)
    {
        if (_count == _tokens.Length)
        {
            Array.Resize(ref _tokens, checked(_count * 2));
        }

        _tokens[_count++] = token;
    }
}
